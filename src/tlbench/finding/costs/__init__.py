"""What a fit is expected to cost in seconds, from the card of its backbone and from fits that were measured."""
