"""Heads for object detection, and what COCO's evaluation counts of their boxes."""
