"""`tlbench plugin`: begin, check and repair plugins."""
