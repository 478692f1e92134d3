"""Reads and writes records, and summarises them for tables."""
