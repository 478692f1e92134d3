"""The choice of a leaderboard's rows and columns, and the files that it is written to."""
