"""Tools for testing plugins: conformance checks, toy plugins, single fits without a run, and pytest fixtures."""
