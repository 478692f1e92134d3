"""The base class of the kinds of output."""
