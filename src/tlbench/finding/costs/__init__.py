"""The expected cost of a fit in seconds, from the card of its backbone and from fits that were measured."""
