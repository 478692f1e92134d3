"""Notes of a leaderboard's rows: how provenances differ, and which searches were stopped early."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from tlbench.contracts.record import Provenance, Record

if TYPE_CHECKING:
    from tlbench.results.records.summaries import Summaries

_EMPTY = Provenance()
"""The provenance of a cell without a record."""


def differences(summaries: Summaries) -> list[tuple[str, ...]]:
    """Returns, for each summary, how its provenance differs from the most frequent one, such as ("threads 4, not 1",).

    Each aspect is compared only among the summaries that have it, so a library that only one strategy loads does not
    count as a difference. Data is compared only within a task.
    """
    kinds = [(summary.task, summary.provenance_key) for summary in summaries.cells]
    # Computed once for each distinct provenance: thousands of summaries share few of them.
    numbers = Counter(kinds)
    aspects = {kind: _aspects(kind[0], summaries.provenances.get(kind[1], _EMPTY)) for kind in numbers}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for kind, number in numbers.items():
        for aspect, value in aspects[kind].items():
            counts[aspect][value] += number
    # Of two equally frequent values the greater one, so that the order of the records changes no note.
    usual = {aspect: max(counter, key=lambda v: (counter[v], v)) for aspect, counter in counts.items()}
    odd = {kind: [item for item in sorted(own.items()) if item[1] != usual[item[0]]] for kind, own in aspects.items()}
    notes = {kind: tuple(_note(name, value, usual[name]) for name, value in items) for kind, items in odd.items()}
    return [notes[kind] for kind in kinds]


def mixed_provenance(record: Record) -> str:
    """Returns how the provenance of some of a record's fits differs, such as "in part threads 2"; empty if all agree.

    Fits taken over from another cell, or finished before an interruption, may have run with other versions or threads.
    """
    others = [record.provenance.differing(one) for one in record.also_made_with]
    # As keys of a dictionary: each note once, in order.
    notes = dict.fromkeys(f"{aspect} {value}" for other in others for aspect, value in sorted(other.items()))
    return f"in part {', '.join(notes)}" if notes else ""


def _aspects(task: str, provenance: Provenance) -> dict[str, str]:
    """Returns the aspects of a provenance by name; names of data aspects include the task, as tasks differ in data."""
    aspects = provenance.aspects().items()
    return {f"{name} of {task}" if name.endswith(" data") else name: value for name, value in aspects}


def _note(aspect: str, value: str, usual: str) -> str:
    # Values of data and code are fingerprints, which tell a reader nothing.
    if " data of " in aspect or aspect.startswith("code of "):
        return f"other {aspect}"
    return f"{aspect} {value}, not {usual}"


def stopped_early(trials: int | None, planned: int | None) -> str:
    """Returns a note on a search that a time limit stopped before its last fit; empty for others."""
    # By rungs, each trial may have a fit while longer ones are still missing.
    more = ", before their longest fits" if trials == planned else ""
    return "" if planned is None else f"stopped after {trials} of {planned} trials{more}"
