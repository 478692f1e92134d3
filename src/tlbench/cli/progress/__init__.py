"""The progress of a run as users see it: the live view, lines for logs, and `tlbench status`."""
