"""Finds the best way to adapt a backbone to a task within a time budget."""
