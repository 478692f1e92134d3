"""Which rows of a table were made differently from most of it, and in what."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from tlbench.contracts.record import Record


def differences(records: Sequence[Record]) -> list[tuple[str, ...]]:
    """Returns, for each record, in what its provenance differs from the majority's, such as "threads 4, not 1".

    Each aspect is compared among the records that have it: a library that one strategy alone loads is no difference.
    Data is compared within a task.
    """
    rows = [_aspects(record) for record in records]
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        for aspect, value in row.items():
            counts[aspect][value] += 1
    # Of two as frequent ones, the greater: the same on every rebuild.
    usual = {aspect: max(counter, key=lambda v: (counter[v], v)) for aspect, counter in counts.items()}
    return [
        tuple(_said(aspect, value, usual[aspect]) for aspect, value in sorted(row.items()) if value != usual[aspect])
        for row in rows
    ]


def _aspects(record: Record) -> dict[str, str]:
    made = record.provenance
    aspects = {
        "device": made.device,
        "precision": made.precision,
        "threads": str(made.threads) if made.threads else "",
        **made.distributions,
        **{f"{split} data of {record.cell.task.name}": digest for split, digest in made.data.items()},
    }
    return {aspect: value for aspect, value in aspects.items() if value}


def _said(aspect: str, value: str, usual: str) -> str:
    if " data of " in aspect:
        return f"other {aspect}"
    return f"{aspect} {value}, not {usual}"
