"""Which rows of a table were made differently from most of it, and in what."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from tlbench.contracts.record import Provenance, Record

if TYPE_CHECKING:
    from tlbench.results.records.summaries import Summaries

_NOTHING = Provenance()
"""Of a cell that has no record yet."""


def differences(lines: Summaries) -> list[tuple[str, ...]]:
    """Returns, for each line, in what its provenance differs from the majority's, such as "threads 4, not 1".

    Each aspect is compared among the lines that have it: a library that one strategy alone loads is no difference.
    Data is compared within a task.
    """
    kinds = [(line.task, line.made) for line in lines.rows]
    # Few kinds of provenance make up any number of lines.
    numbers = Counter(kinds)
    aspects = {kind: _aspects(kind[0], lines.made.get(kind[1], _NOTHING)) for kind in numbers}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for kind, number in numbers.items():
        for aspect, value in aspects[kind].items():
            counts[aspect][value] += number
    # Of two as frequent ones, the greater: the same on every rebuild.
    usual = {aspect: max(counter, key=lambda v: (counter[v], v)) for aspect, counter in counts.items()}
    odd = {kind: [item for item in sorted(has.items()) if item[1] != usual[item[0]]] for kind, has in aspects.items()}
    said = {kind: tuple(_said(aspect, value, usual[aspect]) for aspect, value in items) for kind, items in odd.items()}
    return [said[kind] for kind in kinds]


def mixture(record: Record) -> str:
    """Returns what some of a record's fits were made with instead, such as "in part threads 2"; empty if all agree."""
    others = [record.provenance.differing(one) for one in record.also_made_with]
    found = dict.fromkeys(f"{aspect} {value}" for other in others for aspect, value in sorted(other.items()))
    return f"in part {', '.join(found)}" if found else ""


def _aspects(task: str, made: Provenance) -> dict[str, str]:
    return {f"{name} of {task}" if name.endswith(" data") else name: value for name, value in made.aspects().items()}


def _said(aspect: str, value: str, usual: str) -> str:
    if " data of " in aspect:
        return f"other {aspect}"
    return f"{aspect} {value}, not {usual}"
