"""Learning curves on a leaderboard's page, as a table with sentences and as a drawing."""
