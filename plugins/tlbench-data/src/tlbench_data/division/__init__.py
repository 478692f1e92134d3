"""Divides your own data into the splits that its files lack."""
