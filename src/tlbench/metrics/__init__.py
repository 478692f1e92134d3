"""Metrics: their descriptions, formulas and bootstrap intervals. Importing this package imports no NumPy."""

from __future__ import annotations

from tlbench.metrics.builtin import METRICS, named

__all__ = ["METRICS", "named"]
