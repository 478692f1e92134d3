"""Runs the plugins' hooks when it is imported.

A fork server imports it, so that what the hooks import is in memory before workers are forked.
"""

from __future__ import annotations

from tlbench.catalog.catalog import Catalog

Catalog.discover()
