"""Statistical tests between the cells of a table, and intervals of their scores. Needs NumPy and scipy.special."""
