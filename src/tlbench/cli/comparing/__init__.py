"""`tlbench compare`: two results, their difference and whether the second is a regression."""
