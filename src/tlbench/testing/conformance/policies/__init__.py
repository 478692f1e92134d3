"""Conformance checks for policies, and the simulated fits that they search."""
