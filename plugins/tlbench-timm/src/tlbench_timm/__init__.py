"""Vision backbones of timm, as a plugin of tlbench."""
