"""Checks of a task's data before it is trained on: each function looks for one kind of problem in the examples."""
