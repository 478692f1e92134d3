"""Provides the activations of frozen encoder prefixes, computed once and shared, in memory and on disk."""
