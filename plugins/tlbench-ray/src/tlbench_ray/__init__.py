"""Fits of tlbench on the machines of a Ray cluster."""
