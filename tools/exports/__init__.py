"""Winners of every kind of task, exported and loaded by other libraries in an environment without tlbench."""
