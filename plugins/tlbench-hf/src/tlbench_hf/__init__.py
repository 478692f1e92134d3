"""Backbones of Hugging Face transformers, as a plugin of tlbench."""
