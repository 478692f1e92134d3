"""Environment variables by which `tlbench plugin check` tells the process of its checks what to check."""

CHECKED = "TLBENCH_CHECK"
"""Distributions, or `distribution/name` for one object, separated by commas."""
REPORT = "TLBENCH_CHECK_REPORT"
"""The number of the open file that outcomes are written to, a line of JSON each."""
