"""Heads that generate text with pretrained decoders."""
