"""The strategies of a search that names none: one of each family that is usually worth a try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import PluginEntry
from tlbench.catalog.strategy_families import family_of
from tlbench.contracts.backbone import Backbone
from tlbench.contracts.errors import UsageError
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Task

PROBES = "frozen features"
"""The family of heads on a frozen encoder."""
PREFERRED: Mapping[str, tuple[str, ...]] = {
    PROBES: ("linear-probe", "head-only"),
    "part of the weights": ("partial-finetune",),
    "new weights": ("lora",),
    "all weights": ("full-finetune",),
}
"""The families of a search and, of each, the strategies that come first, if they are installed."""


def default_strategies(catalog: Catalog, task: Task, backbones: Sequence[Backbone]) -> tuple[str, ...]:
    """Returns one strategy of each usual family that supports the task on one of the backbones.

    It is the first preferred one, or else the first by name.
    """
    found = []
    for family, preferred in PREFERRED.items():
        entries = [one for one in catalog.entries("strategy") if family_of(one.item) == family]
        entries.sort(key=lambda one: preferred.index(one.name) if one.name in preferred else len(preferred))
        usable = (one for one in entries if _is_usable(catalog, one, task, backbones))
        if (first := next(usable, None)) is not None:
            found.append(first.name)
    return tuple(found)


def _is_usable(catalog: Catalog, entry: PluginEntry, task: Task, backbones: Sequence[Backbone]) -> bool:
    try:
        strategy = catalog.strategy(entry.name).item
    except UsageError:
        return False  # ambiguous: two distributions have it
    if not strategy.uses_backbone or strategy.needs_unlabeled or strategy.is_baseline:
        return False
    return any(_supports(strategy, backbone, task) for backbone in backbones)


def _supports(strategy: Strategy, backbone: Backbone, task: Task) -> bool:
    try:
        return not strategy.needs() and strategy.supports(backbone, task) is None
    # A plugin's mistake must not end a search that did not ask for this strategy.
    except (Exception, SystemExit):
        return False
