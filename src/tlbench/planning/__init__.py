"""Reads suites and turns them into plans: cells to run and combinations to skip, without loading a model."""
