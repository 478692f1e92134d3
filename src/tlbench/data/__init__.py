"""Examples without any model: draws of splits, keys of equal inputs, and checks of a task's data."""
