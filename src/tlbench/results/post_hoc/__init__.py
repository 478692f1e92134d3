"""Ensembles, temperatures and thresholds, chosen on stored validation predictions and scored on test predictions."""
