"""Runs as experiment trackers show them."""
