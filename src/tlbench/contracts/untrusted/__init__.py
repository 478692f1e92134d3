"""Reads files that may come from someone else: within limits of kind, place and size (docs/security.md)."""
