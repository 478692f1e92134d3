"""Renders a leaderboard as text in several formats.

`page` decides what is shown, once for all formats; each format only lays it out. Strings from records are untrusted and
pass through `escaping`.
"""
