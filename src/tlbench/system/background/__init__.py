"""Work in threads beside the main one."""
