"""Makes the committed leaderboards: `make leaderboards-run` prints what each will cost, then runs what is missing."""
