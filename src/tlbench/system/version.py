"""Holds the version of tlbench, in the lowest layer so that every other can import it."""

VERSION = "0.1.0"
