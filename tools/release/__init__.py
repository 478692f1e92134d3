"""Releases: builds every distribution, checks the wheels in clean environments, and sets the version of all."""
