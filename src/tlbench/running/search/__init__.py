"""The search of one cell: which settings are tried, what each gave, and when a fit is stopped early."""
