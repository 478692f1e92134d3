"""Its import runs the plugins' hooks, so that a fork server has their modules in memory.

A fork server imports this module, so that the modules that the hooks import are in memory before workers are forked.
"""

from __future__ import annotations

from tlbench.catalog.catalog import Catalog

Catalog.discover()
