"""Pretrained decoders as heads that write text."""
