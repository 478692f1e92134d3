"""The metrics by kind, each as a function of sums over examples or of ranks. NumPy, and for texts their libraries."""
