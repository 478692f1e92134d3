"""Footnotes of a leaderboard's rows."""
