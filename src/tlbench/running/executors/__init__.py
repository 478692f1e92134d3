"""Executors of the core: `inline` carries out orders in this process, `isolated` in processes that may die alone."""

from __future__ import annotations

from tlbench.catalog.hookspecs import hookimpl
from tlbench.contracts.executor import ExecutorPlugin
from tlbench.running.executors.inline import Inline
from tlbench.running.executors.isolated import Isolated


@hookimpl
def tlbench_executors() -> list[ExecutorPlugin]:
    """Brings the core's own executors, through the hook that others use."""
    return [Inline(), Isolated()]
