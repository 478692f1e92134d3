"""Compares this checkout with another commit: equality of results, time and memory."""
