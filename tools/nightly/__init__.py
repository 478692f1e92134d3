"""The nightly job: runs a suite, compares it with the last good night and publishes the history of each row."""
