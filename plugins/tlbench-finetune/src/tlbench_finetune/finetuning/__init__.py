"""Strategies that train weights of the backbone by gradient descent."""
