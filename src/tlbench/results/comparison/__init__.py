"""Comparisons of two results: paired tests of their predictions, and the regressions among them."""
