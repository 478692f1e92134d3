"""The contract of executors that run parts of a plan as jobs of a queue, while no driver waits for them."""
