"""What a leaderboard shows of the records, and the files that it is written to."""
