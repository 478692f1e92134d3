"""Detectors of the DETR family from folders of transformers."""
