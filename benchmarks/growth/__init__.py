"""Growth of cost: with cells in `plan`, records in `leaderboard`, trials and training examples in `run`."""
