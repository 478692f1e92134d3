"""Gives one name to data whose file or folder was renamed between two runs: by its content it is still one task."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec

from tlbench.contracts.identity.content_names import without_label
from tlbench.results.records.summaries import CellSummary, Summaries

_FIELDS = ("task", "backbone", "strategy")


def with_one_label(summaries: Summaries) -> Summaries:
    """Returns summaries in which names that differ in labels alone are one name: the one of the most cells.

    Of names of equally many cells, the first in alphabetical order is taken.
    """
    chosen = {name: one for field in _FIELDS for name, one in _chosen(summaries.cells, field).items()}
    if all(name == one for name, one in chosen.items()):
        return summaries
    return summaries.subset(_renamed(summary, chosen) for summary in summaries.cells)


def _chosen(cells: Sequence[CellSummary], field: str) -> dict[str, str]:
    """Returns for each name that has a label the name that is shown in its place."""
    by_content: dict[str, Counter[str]] = defaultdict(Counter)
    for name, count in Counter(getattr(summary, field) for summary in cells).items():
        if (content := without_label(name)) != name:
            by_content[content][name] += count
    return {name: min(names, key=lambda one: (-names[one], one)) for names in by_content.values() for name in names}


def _renamed(summary: CellSummary, chosen: dict[str, str]) -> CellSummary:
    names = {field: getattr(summary, field) for field in _FIELDS}
    changed = {field: chosen[name] for field, name in names.items() if chosen.get(name, name) != name}
    return msgspec.structs.replace(summary, **changed) if changed else summary
