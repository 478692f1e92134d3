"""GLUE's nine tasks, and five small generated tasks with the same outputs, as a plugin of tlbench."""
