"""Which plugins are installed, and which object a name stands for."""
