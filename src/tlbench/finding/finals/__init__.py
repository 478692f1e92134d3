"""The final fits of a search: which settings get them, at how many seeds, and their runs as ordinary cells."""
