"""Object detection and semantic segmentation as a plugin of tlbench."""
