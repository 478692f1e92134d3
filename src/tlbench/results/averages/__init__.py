"""Averages over tasks: scores on a common scale, and tests of their means."""
