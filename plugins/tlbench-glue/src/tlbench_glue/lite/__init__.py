"""Generated tasks with the outputs of GLUE's, for use without its data."""
