"""What executors cost: fits that only sleep, by the thousand, and a model of how they scale."""
