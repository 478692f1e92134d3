"""Sends fits and results of tlbench to Weights & Biases."""
