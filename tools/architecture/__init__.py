"""Measures the architecture: files, folders, import cycles, names, and the path of one cell through the packages."""
