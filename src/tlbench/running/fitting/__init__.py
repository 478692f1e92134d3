"""What a worker does with one order: load, fit, predict and measure."""
