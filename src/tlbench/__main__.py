"""Runs the command line for `python -m tlbench`."""

from tlbench.cli import main

if __name__ == "__main__":
    main()
