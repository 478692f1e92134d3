"""What a search did to a score: its optimism, the best that fewer trials would have found, and unequal budgets."""
