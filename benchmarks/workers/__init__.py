"""What a worker costs: to start, to hold in memory, and for each fit that does nothing."""
