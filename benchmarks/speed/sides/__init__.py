"""The peers: each a program of its own that reads a job, does the work and writes a report. None imports tlbench."""
