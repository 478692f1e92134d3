"""Measures the time of fits and predictions."""
