"""Heads on features that are computed once: many regressions or networks solved or trained in one pass."""
