"""Baselines of runs without a suite: each task is also run with the trivial strategies that support it."""

from __future__ import annotations

from collections.abc import Iterable

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.errors import AmbiguousName
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Task
from tlbench.planning.suite import SuiteBlock


def baseline_blocks(catalog: Catalog, tasks: Iterable[str]) -> tuple[SuiteBlock, ...]:
    """Returns a block for each task that an installed baseline supports.

    Raises:
        UsageError: An unknown or ambiguous task.
    """
    entries = [one for one in catalog.entries("strategy") if one.item.is_baseline and not one.item.uses_backbone]
    blocks = []
    for task in tasks:
        item = catalog.task(task).item
        # Strategies that do not support the task are left out here: the plan would list them as skipped.
        names = tuple(
            _name(catalog, entry.name, entry.distribution) for entry in entries if _supports(entry.item, item)
        )
        if names:
            blocks.append(SuiteBlock(tasks=(task,), strategies=names))
    return tuple(blocks)


def _supports(strategy: Strategy, task: Task) -> bool:
    try:
        return strategy.supports(None, task) is None
    # A plugin's mistake must not end a run that did not ask for this strategy.
    except (Exception, SystemExit):
        return False


def _name(catalog: Catalog, name: str, distribution: str) -> str:
    try:
        catalog.strategy(name)
    except AmbiguousName:
        return f"{distribution}/{name}"
    return name
