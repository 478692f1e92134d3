"""The sealed split: predictions, scores, the report on classes, overlap with training data."""
