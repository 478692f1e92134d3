"""The version of the interface that a plugin is written for."""
