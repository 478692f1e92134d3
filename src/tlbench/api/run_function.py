"""`tlbench.run`: runs a suite or a cross-product from Python and returns its records and leaderboard."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tlbench.api.checked_options import (
    RunChoices,
    RunOptions,
    WhereToRun,
    converted,
    given,
    names,
    protocol_of,
    retried,
    selection_of,
    short_mistakes,
)
from tlbench.api.first_checks import warn_of_data
from tlbench.api.progress_bar import Progressed, progress_bar
from tlbench.api.requested_plan import check_device, memory_room, requested_plan
from tlbench.api.run_reporter import reporting
from tlbench.api.watched_run import run_missing
from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Plan
from tlbench.contracts.errors import UsageError
from tlbench.contracts.record import Record
from tlbench.results.reading.default_folder import results_folder, searching_in
from tlbench.results.reading.record_frame import frame_of, readable_records
from tlbench.results.records.cell_ids import distinct_length
from tlbench.results.records.record_files import Unreadable
from tlbench.results.records.store import Store
from tlbench.results.render.escaping import printable
from tlbench.running.cells.attempt import Attempt
from tlbench.running.monitoring.run_status import RunState
from tlbench.running.monitoring.time_texts import left_text
from tlbench.running.run import OnRecord, Settings

if TYPE_CHECKING:
    import pandas as pd

_NAME = "tlbench.run"


@dataclass(frozen=True)
class RunResult:
    """What `tlbench.run` returns: the records of its cells, also of those that were finished before."""

    plan: Plan
    """The cells, and the combinations that are skipped with the reasons."""
    records: tuple[Record, ...]
    """The newest record of each cell that has one, in the order of the plan."""
    out: Path
    """The folder of results, for `tlbench.load` and the commands."""
    catalog: Catalog = field(compare=False)
    """The installed plugins, which know the metrics."""
    notes: tuple[str, ...] = ()
    """What the settings changed, what is skipped, and cells that could not be recorded, each in one line."""
    ran: int = 0
    """Number of cells that were run and not finished before."""

    def frame(self) -> pd.DataFrame:
        """Returns the leaderboard: a row for each cell, best first in each task, as `tlbench.load_records` has it."""
        return self._frame.copy()

    @cached_property
    def _frame(self) -> pd.DataFrame:
        return frame_of(Store.open(self.out), self.records, self.plan.cells, self.catalog.metrics)

    def _repr_html_(self) -> str:
        """Returns the leaderboard as notebooks show it, with every name escaped."""
        from tlbench.api.html_tables import board_html
        from tlbench.results.render.page import Page
        from tlbench.results.render.view import Limits, View

        view = View(references=self.plan.references, id_digits=distinct_length([cell.id for cell in self.plan.cells]))
        return board_html(Page(self._frame, self.plan.suite, limits=Limits(), view=view))

    def __repr__(self) -> str:
        scored = sum(record.status == "ok" for record in self.records)
        cells = f"{scored} of {len(self.plan.cells)} cells with a score"
        return f"RunResult({printable(self.plan.suite)}: {cells}, in {printable(self.out)})"


@short_mistakes
def run_suite(
    suite: str | os.PathLike[str] | None,
    axes: Mapping[str, str | Sequence[str] | None],
    out: str | Path | None,
    progress: bool,
    options: RunOptions,
    protocol: Mapping[str, Any],
) -> RunResult:
    """Runs a suite or a cross-product; see `tlbench.run`.

    Args:
        suite: Name or path of a suite; None for the names alone.
        axes: The names of `tasks`, `backbones` and `strategies`.
        out: The folder of results; None for the default one.
        progress: Whether a bar is shown.
        options: The further arguments.
        protocol: Further fields of the protocol.

    Raises:
        UsageError: An argument, a name or the folder cannot be used.
    """
    values = given(options, RunOptions, _NAME) | {name: one for name, one in protocol.items() if one is not None}
    where, choices = converted(values, WhereToRun, _NAME), converted(values, RunChoices, _NAME)
    chosen = {axis: names(value, axis, _NAME) for axis, value in axes.items()}
    if suite is None and not (chosen["tasks"] and chosen["strategies"]):
        raise UsageError(f"{_NAME}: nothing to run: give a suite, or tasks and strategies (and backbones)")
    check_device(where.device, f"{_NAME}: device")
    selection = selection_of(chosen, protocol_of(values, _NAME), choices)
    folder, notes = results_folder(out), list[str]()
    with searching_in(folder):
        catalog, room = Catalog.discover(), memory_room(where.max_memory, where.device, where.devices)
        name = None if suite is None else os.fspath(suite)
        plan = requested_plan(catalog, name, selection, room, fetch=True, note=notes.append)
        if name is None:
            plan = msgspec.structs.replace(plan, suite=_NAME)
        settings = Settings(where.executor, where.jobs, where.device, choices.fresh, room, choices.keep_models)
        settings = replace(
            settings, devices=where.devices, retry=retried(names(choices.retry, "retry", _NAME), f"{_NAME}: retry=")
        )
        try:
            ended = run_missing(plan, catalog, settings, folder, _BarOfRun(plan.suite, progress, catalog))
        except KeyboardInterrupt as stop:
            stop.add_note(f"{_NAME}: nothing finished is lost, and the same call does the rest")
            raise
    notes += [f"skipped: {skip.title}: {skip.reason}" for skip in plan.skips]
    notes += [f"not run: {cell.title}: {reason}" for cell, reason in ended.not_recorded]
    by_id = {record.cell.id: record for record in readable_records(ended.store)}
    records = tuple(by_id[cell.id] for cell in plan.cells if cell.id in by_id)
    return RunResult(plan, records, folder, catalog, tuple(notes), len(ended.attempts))


@dataclass(frozen=True)
class _BarOfRun:
    """Shows a run as a progress bar."""

    title: str
    is_wanted: bool
    catalog: Catalog

    def damaged(self, file: Unreadable) -> None:
        warnings.warn(f"{file.message}; its cell is run again", stacklevel=2)

    def begins(self, attempts: Sequence[Attempt]) -> None:
        warn_of_data([attempt.cell.task.name for attempt in attempts], self.catalog)

    def stopping(self) -> None:
        pass

    def shown(self, state: RunState, store: Store) -> AbstractContextManager[OnRecord]:
        return self._shown(state, store)

    @contextmanager
    def _shown(self, state: RunState, store: Store) -> Iterator[OnRecord]:
        def read() -> Progressed:
            status = state.status()
            failed = f"{status.failed} failed" if status.failed else ""
            left = left_text(status) if status.done < status.total else ""
            texts = (f"{status.done} of {status.total} cells", failed, left)
            return Progressed(status.done, status.total, ", ".join(text for text in texts if text))

        with reporting(state, store.root / "work"), progress_bar(self.title, read, self.is_wanted):
            yield state.add
