"""Exports of the toys, and of any plugin's predictors in its conformance tests."""
