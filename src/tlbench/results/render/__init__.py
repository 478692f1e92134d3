"""A leaderboard as text. Knows nothing of how records are made.

`page` says what is shown, and each format is a module of its own that only draws it. All strings of records are
untrusted and pass through `plain`.
"""
