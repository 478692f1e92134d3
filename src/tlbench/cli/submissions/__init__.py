"""`tlbench submit` and `tlbench verify`: results for others, and results from others."""
