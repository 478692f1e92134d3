"""What all kinds of output have in common."""
