"""Values of options: how they are read, and what is said about those that cannot be read."""
