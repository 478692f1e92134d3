"""A module whose import runs the plugins' hooks.

A fork server imports this module, so that the modules that the hooks import are in memory before workers are forked.
"""

from __future__ import annotations

from tlbench.catalog.catalog import Catalog

Catalog.discover()
