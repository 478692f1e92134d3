"""The job that a strategy gets for a fit, and the predictor that it returns."""
