"""Self-supervised adaptation of a backbone before supervised training: language modelling and contrastive learning."""
