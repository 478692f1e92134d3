"""`tlbench plugin`: begin and check plugins, and say what is wrong with them."""
