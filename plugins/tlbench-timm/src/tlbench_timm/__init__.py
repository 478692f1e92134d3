"""Image backbones of timm, and small image networks of our own, as a plugin of tlbench."""
