"""Ways into a results folder from Python: where it is, and its records as a table."""
