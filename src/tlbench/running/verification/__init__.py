"""Checks records from somebody else: against themselves, their predictions, the task's data, and a new fit."""
