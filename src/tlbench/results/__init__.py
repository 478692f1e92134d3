"""Records on disk, and the leaderboards computed from them."""
