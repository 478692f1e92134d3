"""Metrics and class reports of both kinds of output, and pictures of predictions."""
