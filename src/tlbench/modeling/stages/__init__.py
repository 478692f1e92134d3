"""Cutting any library's model into an ordered list of stages, without changing its code."""
