"""The labels of files and folders of one's own in tables."""
