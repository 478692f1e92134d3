"""Semi-supervised ways to adapt a backbone: pseudo-labels, and consistency between views of unlabelled examples."""
