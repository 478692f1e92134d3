"""The page of one cell: its search, its scores by class, and the examples that it answers worst."""
