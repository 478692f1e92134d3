"""A leaderboard frame as text: for the terminal, as Markdown, as CSV. Knows nothing of how records are made.

Each format is a module of its own (`terminal`, `standings`, `markdown`, `csv`); none is imported before it is used.
All strings in a frame are untrusted and pass through `plain`.
"""
