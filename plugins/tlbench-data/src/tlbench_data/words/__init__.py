"""Reads files of tagged words: their formats, comment lines and tag schemes."""
