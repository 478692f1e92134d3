"""Its import runs the plugins' hooks, so that a fork server has their modules in memory.

A fork server imports this module, so that the catalog and the modules that the hooks import are in memory before
workers are forked.
"""

from __future__ import annotations

from tlbench.catalog.kept_catalog import keep_catalog

keep_catalog()
