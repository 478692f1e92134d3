"""Encoders, heads, data, activations and metrics: what backbones bring and strategies use. Needs torch."""
