"""The answer of a search: what won, what ties with it, and what would decide between them."""
