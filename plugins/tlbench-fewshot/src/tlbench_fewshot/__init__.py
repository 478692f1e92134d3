"""Few- and zero-shot ways to adapt a backbone: contrastive pairs, class names as labels, and prompting."""
