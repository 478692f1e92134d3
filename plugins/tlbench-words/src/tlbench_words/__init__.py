"""Static word vectors as backbones of tlbench."""
