"""Searches whose trials several drivers fit, each with a folder of results of its own, over one PostgreSQL database."""
