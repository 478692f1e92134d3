"""The classic ways to adapt a backbone: probing, partial and full fine-tuning, and the baselines they must beat."""
