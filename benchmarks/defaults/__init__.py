"""Compares the first setting of each strategy with the best of a search."""
