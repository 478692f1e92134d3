"""Sends fits and results of tlbench to an MLflow server."""
