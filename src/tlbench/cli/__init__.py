"""The command line: parse, call, print."""

from tlbench.cli.app import main

__all__ = ["main"]
