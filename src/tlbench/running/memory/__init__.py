"""Handles memory that runs out: ends workers that take too much, and tries fits again with less."""
