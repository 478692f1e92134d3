"""From a cell to its record: search, winner, test, each measured, in processes that may die at any moment."""
