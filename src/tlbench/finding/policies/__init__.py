"""Schedules of fits within a budget."""
