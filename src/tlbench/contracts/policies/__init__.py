"""What a policy of `tlbench find` is told, and what it answers."""
