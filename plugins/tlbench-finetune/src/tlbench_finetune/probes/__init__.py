"""Heads on the features of a frozen encoder: probes, neighbours and prototypes."""
