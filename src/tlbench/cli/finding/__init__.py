"""`tlbench find`: its options, what it shows while it searches, and how it prints its answer."""
