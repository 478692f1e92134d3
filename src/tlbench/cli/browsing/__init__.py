"""Commands that look at what is installed and at single records: `tlbench list`, `show` and `version`."""
