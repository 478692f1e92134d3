"""What a reader of a leaderboard chooses: tasks, rows, their order, and columns. Choices never change a rank."""
