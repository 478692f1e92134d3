"""A recurrent network as a backbone of tlbench."""
