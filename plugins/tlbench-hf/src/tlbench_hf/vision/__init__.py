"""Image models of transformers, and featurization of images as rows of pixels."""
