"""Writes fitted models as folders that transformers loads."""
