"""Follows a run while it goes on: its orders, the time left, its status file and its log. Imports no torch."""
