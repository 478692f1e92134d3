"""The data check: `tlbench check`, its short form before a task's first run, and the shares of texts that were cut."""
