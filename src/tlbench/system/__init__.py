"""Wraps the operating system: processors, memory, clocks, and files that survive a crash."""
