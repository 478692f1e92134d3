"""Carries out one order in a worker: loads, fits, predicts and measures."""
