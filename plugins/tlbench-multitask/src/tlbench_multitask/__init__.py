"""Learning from other tasks: intermediate-task training and multi-task learning."""
