"""Heads for semantic segmentation."""
