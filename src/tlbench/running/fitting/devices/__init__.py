"""Fits on several devices of one machine."""
