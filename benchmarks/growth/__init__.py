"""How the cost of things grows: cells in `plan`, records in `leaderboard`, trials and training examples in `run`."""
