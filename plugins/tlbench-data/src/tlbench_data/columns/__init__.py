"""Chooses the text and label columns of a table, and reads their values."""
