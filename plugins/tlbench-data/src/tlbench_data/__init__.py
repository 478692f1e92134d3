"""Named public tasks, tasks made of your own files, and the readers of their formats, as a plugin of tlbench."""
