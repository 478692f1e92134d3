"""Reads the values of options, and words the errors for values that cannot be read."""
