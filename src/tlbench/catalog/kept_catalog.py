"""The catalog that a fork server discovers once for all workers that it forks."""

from __future__ import annotations

import os

from tlbench.catalog.catalog import Catalog

_IGNORED = {"TLBENCH_RUN"}
"""Variables that only workers have: the name of the run, for its log."""
_kept: tuple[dict[str, str], Catalog] | None = None


def keep_catalog() -> None:
    """Discovers the plugins and keeps the catalog for this process and those that are forked from it."""
    global _kept
    catalog = Catalog.discover()
    # A plugin that failed here may work in a process of its own.
    _kept = None if catalog.broken else (_environment(), catalog)


def kept_or_discovered() -> Catalog:
    """Returns the kept catalog, once and if the environment is still the same, as hooks may read it; else a new one."""
    global _kept
    # Once: a process that drops all that it has loaded begins with new objects.
    kept, _kept = _kept, None
    return kept[1] if kept is not None and kept[0] == _environment() else Catalog.discover()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _IGNORED}
