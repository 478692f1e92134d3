"""All notes on a leaderboard's rows: on provenance, learning, search budgets, and data that a backbone has seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tlbench.results.notes.floor_notes import floor_notes, futility_note
from tlbench.results.notes.provenance_notes import differences, stopped_early
from tlbench.results.selection.search_budget import budget_notes

if TYPE_CHECKING:
    from tlbench.results.records.summaries import Summaries

_STATEMENTS = ("in part ", "stopped after ", "searched over ", "not searched, ", "backbone trained on ")
"""Beginnings of the notes that state a fact about the row itself, not how it differs from most rows of the table."""


def notes_of_rows(summaries: Summaries, tasks: Sequence[str]) -> list[str]:
    """Returns the notes on each summary, separated by "; "; `tasks` are the names of their tasks in the table."""
    budgets = budget_notes(tasks, [one.search_budget for one in summaries.cells])
    rows = zip(summaries.cells, differences(summaries), floor_notes(summaries.cells, tasks), budgets, strict=True)
    protocols = {key: setting.protocol for key, setting in summaries.settings.items()}
    return [
        "; ".join(
            filter(
                None,
                (
                    *provenance,
                    one.mixed_provenance,
                    stopped_early(one.trials, one.trials_planned),
                    futility_note(one, protocols[one.setting_key]),
                    floor,
                    budget,
                    seen_note(one.seen_datasets) if one.seen_datasets else "",
                ),
            )
        )
        for one, provenance, floor, budget in rows
    ]


def seen_note(datasets: Sequence[str]) -> str:
    """Returns a note on a task's data sets that the backbone was trained on; empty without any."""
    # Semicolons separate notes, so that one in a name would divide this note in two.
    names = ", ".join(datasets).replace(";", ",")
    return f"backbone trained on data of this task: {names} (whether on its test examples is unknown)" if names else ""


def is_statement(note: str) -> bool:
    """Returns whether a note states a fact about the row itself, not how it differs from most rows of the table."""
    return note.startswith(_STATEMENTS)
