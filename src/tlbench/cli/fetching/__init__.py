"""Downloads weights and data."""
