"""Baselines: constant answers, lookups, word counts, colours and similarities that a fine-tuned backbone must beat."""
