"""Scripts that are copied into exported folders and import nothing of tlbench."""
