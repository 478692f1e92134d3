"""Runs the conformance checks of installed plugins, for `tlbench plugin check`."""
