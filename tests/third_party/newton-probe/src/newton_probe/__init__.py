"""A probe trained by a loop of its own, as a strategy of tlbench."""
