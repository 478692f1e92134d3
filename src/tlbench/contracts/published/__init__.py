"""Scores that were published elsewhere, to show beside the cells that repeat their setting."""
