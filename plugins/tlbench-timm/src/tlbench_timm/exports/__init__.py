"""Writes fitted models as folders that timm loads."""
