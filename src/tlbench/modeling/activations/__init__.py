"""Activations of a frozen encoder prefix: computed once and shared, in memory and on disk."""
