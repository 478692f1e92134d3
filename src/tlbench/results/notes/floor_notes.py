"""Notes on rows whose fits learned nothing: collapsed, starved, at the floor, or stopped for futility."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tlbench.contracts.cell import Protocol
from tlbench.contracts.record import FitResult, Record
from tlbench.results.columns import OK

if TYPE_CHECKING:
    from tlbench.results.records.summaries import CellSummary

STARVED_ABOVE = 0.5
"""A fit from random weights is starved if it is at the floor and its last training loss is at least this share of the
first. If the loss fell further, the fit has learned the training examples, and more steps would not help it."""
COLLAPSED, STARVED, AT_FLOOR, ONE_ANSWER = "collapsed", "starved", "at the floor", "one answer"
"""The beginning of a note on a row."""
LEGEND = (
    f"{COLLAPSED}: a fit gives {ONE_ANSWER} to all test examples; {AT_FLOOR}: its 95% interval reaches the constant "
    f"answer that is best on train; {STARVED}: it is {AT_FLOOR} from random weights and its training loss fell by less "
    "than half."
)
"""A sentence that explains these words."""


def floor_note(record: Record) -> str:
    """Returns the note on a record's fits at the floor, such as "collapsed: one answer after 96 steps in 1 of 3 seeds".

    Empty if all fits left the floor, or if this is not known.
    """
    floor = record.floor
    if floor is None or not floor.at_floor:
        return ""
    seeds = {score.seed for score in record.scores}
    fits = [fit for fit in record.fits if fit.seed in floor.at_floor]
    which = f" in {len(floor.at_floor)} of {len(seeds)} seeds" if len(seeds) > 1 else ""
    steps = max((fit.notes.get("steps", 0) for fit in fits), default=0)
    after = f" after {steps:.0f} steps" if steps else ""
    if not floor.pretrained and any(map(_is_starved, fits)):
        return f"{STARVED}: {AT_FLOOR}{after}{which}{_losses(fits)}"
    if {*floor.at_floor} <= {*floor.one_answer}:
        return f"{COLLAPSED}: {ONE_ANSWER}{after}{which}"
    return f"{AT_FLOOR}{after}{which}"


def floor_notes(summaries: Sequence[CellSummary], tasks: Sequence[str]) -> list[str]:
    """Returns the note of each summary; where no row of a task leaves the floor, the note says so.

    Args:
        summaries: Cells of any tasks.
        tasks: The task of each.
    """
    judged = [(one, task) for one, task in zip(summaries, tasks, strict=True) if one.at_floor is not None]
    counts = Counter(task for _, task in judged)
    with_signal = {task for one, task in judged if one.at_floor != one.seeds}
    # A single row does not show whether the row or its task is the cause.
    without_signal = {task for task, count in counts.items() if count > 1} - with_signal
    return [
        f"{_without_blame(one.floor_note)}, like all rows of {task}"
        if one.floor_note and task in without_signal
        else one.floor_note
        for one, task in zip(summaries, tasks, strict=True)
    ]


def stopped_for_futility(seeds: int, planned: int) -> str:
    """Returns a note on a cell that was stopped after some of its seeds; empty if none is missing."""
    return f"stopped for futility after {seeds} of {planned} seeds" if seeds < planned else ""


def futility_note(summary: CellSummary, protocol: Protocol) -> str:
    """Returns the note on a cell with a score whose protocol let it be stopped for futility; empty for others."""
    if protocol.stop != "futility" or summary.status != OK:
        return ""
    return stopped_for_futility(summary.seeds, len(protocol.seeds))


def is_floor_note(note: str) -> bool:
    """Returns whether a note is one of this module's, not one on provenance or on a search that was stopped early."""
    return note.startswith((COLLAPSED, STARVED, AT_FLOOR, ONE_ANSWER, "stopped for futility"))


def _without_blame(note: str) -> str:
    """Returns a note without the word, such as "collapsed", that names the row as the cause rather than its task."""
    head, _, rest = note.partition(": ")
    return rest if head == COLLAPSED else note


def _is_starved(fit: FitResult) -> bool:
    first, last = (fit.notes.get(name, math.nan) for name in ("first_loss", "last_loss"))
    return last >= STARVED_ABOVE * first


def _losses(fits: Sequence[FitResult]) -> str:
    """Returns how the training loss fell, as a mean over the fits."""
    # A plugin's strategy may note only one of the two losses.
    noted = [fit.notes for fit in fits if {"first_loss", "last_loss"} <= fit.notes.keys()]
    pairs = [(notes["first_loss"], notes["last_loss"]) for notes in noted]
    first, last = (math.fsum(losses) / len(pairs) for losses in zip(*pairs, strict=True))
    return f" (training loss {first:.3g} to {last:.3g})"
