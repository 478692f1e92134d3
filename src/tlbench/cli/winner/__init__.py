"""Commands that use the winner of a finished cell."""
