"""Records, and the tables made of them."""
