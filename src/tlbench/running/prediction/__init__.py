"""Predictions of a winner for new rows: texts, tables and images that no task has."""
