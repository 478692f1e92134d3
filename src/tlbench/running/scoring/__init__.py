"""Scoring on the test split: stored predictions, scores, the classification report and overlap with training data."""
