"""What a worker does with one order: fit, predict, measure."""
