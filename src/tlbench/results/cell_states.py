"""The state of each recorded cell: done, failed, timed out, damaged, outdated or made by a newer tlbench."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from tlbench.contracts.record import Provenance, Status
from tlbench.results.columns import OK
from tlbench.results.index import Index
from tlbench.results.records.record_files import Unreadable
from tlbench.results.records.store import Store

State = Literal["done", "failed", "timed out", "outdated", "damaged", "newer"]
_OF_STATUS: Mapping[str, State] = dict[Status, State](
    ok="done", failed="failed", crashed="failed", diverged="failed", oom="failed", timeout="timed out"
)


def cell_states(store: Store, is_outdated: Callable[[Provenance], bool]) -> dict[str, State]:
    """Returns the state of the newest record of each cell, by the cell's id.

    Args:
        store: The results folder.
        is_outdated: Returns whether a record with a score and this provenance was made with other versions than are
            installed. It gets the record's main provenance, without those of fits that were made before an interruption
            or taken over from another cell.
    """
    states: dict[str, State] = {}

    def unreadable(file: Unreadable) -> None:
        states[file.path.name.partition(".")[0]] = "newer" if file.is_newer else "damaged"

    summaries = Index(store).summaries(unreadable)
    # Thousands of records have few distinct provenances.
    outdated = {key for key, provenance in summaries.provenances.items() if is_outdated(provenance)}
    for summary in summaries.cells:
        is_old = summary.status == OK and summary.provenance_key in outdated
        states[summary.cell] = "outdated" if is_old else _OF_STATUS[summary.status]
    return states
