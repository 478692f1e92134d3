"""Examples without any model: draws of splits and folds, keys of equal inputs, and checks of a task's data."""
