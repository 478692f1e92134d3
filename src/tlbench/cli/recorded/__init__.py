"""Commands on recorded cells: leaderboard, delete and show."""
