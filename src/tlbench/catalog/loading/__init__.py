"""Imports the modules of plugins: what each takes, whether its API version fits, and why it cannot be used."""
