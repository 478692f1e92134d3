"""Why each conformance check matters, and how to mend what it finds."""
