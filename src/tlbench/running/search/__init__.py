"""Hyperparameter search of one cell: proposes params, records scores and decides when a fit is pruned."""
