"""Checks for what a plugin has beside objects: its module, its commands and its suites."""
