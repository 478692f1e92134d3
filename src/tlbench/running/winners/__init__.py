"""The winner of a finished cell in use: rebuilt from its record, and predicting new rows."""
