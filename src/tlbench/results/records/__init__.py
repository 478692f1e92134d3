"""Records on disk, and the summaries of them that tables are made from."""
