"""Processes of Python's fork server, as an executor of tlbench."""
