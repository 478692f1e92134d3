"""What the operating system gives: processors, memory, clocks and files that survive a crash. Imports no torch."""
