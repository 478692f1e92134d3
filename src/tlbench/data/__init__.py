"""Examples without any model: keys of equal inputs, and checks of a task's data."""
