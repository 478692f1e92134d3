"""Costs of workers: starting them, their memory, and the overhead of an empty fit."""
