"""What mistakes cost, as a metric of tlbench."""
