"""Imported once for all workers: runs the plugins' hooks, so that what these import is in memory before a fork."""

from __future__ import annotations

from tlbench.catalog.catalog import Catalog

Catalog.discover()
