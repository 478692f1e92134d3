"""Provides encoders, heads, data and activations, which backbones create and strategies use. Needs torch."""
