"""What a run shows of its progress: the live view, lines for logs, and `tlbench status`."""
