"""Compares tlbench with other tools on equal work, in turns, measured from outside of the processes."""
