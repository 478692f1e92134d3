"""The union of folders of results."""
