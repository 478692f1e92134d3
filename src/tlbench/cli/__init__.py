"""The command line: one module per command, which parses options, calls the library and prints."""

from tlbench.cli.app import main

__all__ = ["main"]
