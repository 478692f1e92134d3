"""Discovery of plugins, and lookup of their objects by name."""
