"""GLUE itself, read from its published files or from the hub cache."""
