"""Image models of transformers, and images as their rows of pixels."""
