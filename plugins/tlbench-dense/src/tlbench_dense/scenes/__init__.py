"""Generated scenes of handwritten digits: tasks that need no files."""
