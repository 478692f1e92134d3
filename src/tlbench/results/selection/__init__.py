"""Facts about a search: how optimistic its score is, the expected best score of fewer trials, and its budget."""
