"""Gains: how much better scores are than those of floors, which are strategies without pretrained weights."""
