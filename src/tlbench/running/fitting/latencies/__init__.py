"""How long predictions take."""
