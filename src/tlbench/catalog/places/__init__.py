"""Where files and folders of one's own lie on this machine, whose names in records have no folders."""
