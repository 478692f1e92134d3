"""Named public tasks and your own files for tlbench; the readers of their formats."""
