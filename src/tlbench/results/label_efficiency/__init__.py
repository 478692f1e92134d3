"""How scores depend on the number of training examples, and what number another strategy needs for an equal score."""
