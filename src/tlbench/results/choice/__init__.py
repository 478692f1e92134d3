"""The choices of a leaderboard's reader: tasks, rows, their order, and columns. They never change a rank."""
