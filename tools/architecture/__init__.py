"""Measures how the code is cut: files, folders, circles of imports, names, and the way of one cell through them."""
