"""The text and label columns of a table: which they are, and what their values are read as."""
