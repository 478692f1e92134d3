"""Why each conformance check matters, and how to fix what it finds."""
