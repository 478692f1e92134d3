"""What all plugins have in common: the version of the interface that they are written for."""
