"""Commands that are shown to a reader."""
