"""Runs a plan: searches, fits and scores each cell in worker processes that may die at any moment, and records it."""
