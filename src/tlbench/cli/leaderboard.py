"""`tlbench leaderboard`, and the table at the end of a run."""

from __future__ import annotations

import gc
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.contracts.cell import Cell, Plan
from tlbench.contracts.errors import UsageError
from tlbench.contracts.metric import Metric
from tlbench.contracts.record import Record
from tlbench.contracts.renderer import Renderer
from tlbench.metrics import METRICS
from tlbench.results.index import Index
from tlbench.results.leaderboard import Table, comparable_groups
from tlbench.results.parallel_ranks import ParallelRanks, Tested
from tlbench.results.ranking import Place, by_intervals, by_predictions
from tlbench.results.records.record_files import Unreadable
from tlbench.results.records.store import Store
from tlbench.results.records.summaries import CellSummary, Summaries
from tlbench.results.render.escaping import printable

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from tlbench.results.stats import CellPredictions


def print_board(out: Path, suite: str | None, tasks: tuple[str, ...], everything: bool, format_: str) -> None:
    """Prints the leaderboard of the last run, of a suite, or of every record in the folder."""
    # Millions of small values and no circles: looking for some takes longer than many a step of this.
    gc.disable()
    try:
        _print_board(Store.open(out), suite, tasks, everything, format_)
    finally:
        gc.enable()


def _print_board(store: Store, suite: str | None, tasks: tuple[str, ...], everything: bool, format_: str) -> None:
    index = Index(store)
    with ParallelRanks(_by_predictions(store)) as ranks:
        if index.is_empty:
            ranks.start(index.count_predictions())
        recorded = index.summaries(_complain)
        title, summaries, planned = _asked(store, index, recorded, suite, everything)
        if tasks:
            summaries = summaries.subset(summary for summary in summaries.cells if summary.task in tasks)
            kept = {summary.cell for summary in summaries.cells}
            planned = [cell_id for cell_id in planned if cell_id in kept]
            if not any(summary.attempt for summary in summaries.cells):
                raise UsageError(f"{store.root}: no records of the task {', '.join(tasks)}")
        table = _table(index, summaries, planned, ranks)
    show(table, title, _command(suite, everything), format_)
    index.save()


def show(table: Table, title: str, command: str, format_: str = "terminal") -> None:
    """Writes a leaderboard to standard output.

    Raises:
        UsageError: There is no such format, or what a plugin brings for it failed.
    """
    if format_ == "terminal":
        from rich.console import Console

        print_table(Console(), table, title)
    else:
        sys.stdout.write(_rendered(table, title, command, format_))
    sys.stdout.flush()


def print_table(console: Console, table: pd.DataFrame | Table, title: str) -> None:
    """Prints a leaderboard to a terminal, or to whatever stands in its place."""
    from tlbench.results.render.formats.terminal import Leaderboard
    from tlbench.results.render.page import Limits, Page

    console.print(Leaderboard(Page(table, title, limits=Limits())))


def _rendered(table: Table, title: str, command: str, format_: str) -> str:
    """Returns a leaderboard in a format, as text that standard output can write.

    Raises:
        UsageError: There is no such format, or what is brought for it failed or made something else than text.
    """
    from tlbench.results.render.page import Limits, Page

    renderer, brought_by = _renderer(format_)
    fault = f"--format {format_}, brought by {brought_by}"
    try:
        page = Page(table, title, command, limits=Limits() if renderer.is_short else None)
        text = renderer.render(page)
    except (Exception, SystemExit) as error:
        raise UsageError(f"{fault}, failed: {type(error).__name__}: {error}") from error
    if not isinstance(text, str):
        raise UsageError(f"{fault}, made {type(text).__name__} and not text: its `render` must return a str")
    _check_encodable(text, "utf-8", f"{fault}, made text with", "its `render` must leave such characters out")
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    _check_encodable(text, encoding, f"--format {format_}: the text has", "set PYTHONIOENCODING=utf-8")
    return text


def _check_encodable(text: str, encoding: str, what: str, advice: str) -> None:
    try:
        text.encode(encoding)
    except UnicodeEncodeError as error:
        character = f"U+{ord(text[error.start]):04X}"
        raise UsageError(f"{what} the character {character}, which {encoding} cannot write: {advice}") from error


def _renderer(name: str) -> tuple[Renderer, str]:
    """Returns the renderer of a format, and who brings it; plugins are looked for only where tlbench has none."""
    from tlbench.results.render.formats import FORMATS

    if name in FORMATS:
        return FORMATS[name], "tlbench"
    from tlbench.catalog.catalog import Catalog

    found = Catalog.discover().renderer(name)
    return found.item, f"{found.distribution} {found.version}".strip()


def load(store: Store, cells: set[str] | None) -> list[Record]:
    """Returns the newest records of these cells, or all; names files that are no records on stderr."""
    return [record for record in store.records(_complain) if cells is None or record.cell.id in cells]


def frame(store: Store, records: Sequence[Record], expected: Sequence[Cell]) -> Table:
    """Returns the leaderboard of records of the store, with ranks from their stored predictions."""
    index, planned = Index(store), {cell.id: cell for cell in expected}
    # Others than these were complained of when they were read.
    known, asked = index.summaries(lambda file: None, records), {record.cell.id for record in records}
    summaries = known.subset(summary for summary in known.cells if summary.cell in asked)
    summaries.add_missing(planned)
    with ParallelRanks(_by_predictions(store)) as ranks:
        table = _table(index, summaries, list(planned), ranks)
    index.save()
    return table


def _asked(
    store: Store, index: Index, summaries: Summaries, suite: str | None, everything: bool
) -> tuple[str, Summaries, list[str]]:
    """Returns the title, the summaries to show, and the ids of the cells that are to be counted, if not all."""
    if everything:
        return "all records", summaries, []
    if suite is not None:
        from tlbench.catalog.catalog import Catalog
        from tlbench.planning.plan import plan as made
        from tlbench.planning.suite import read_suite

        catalog = Catalog.discover()
        # What is recorded is shown, whether or not its data lie on this machine.
        return _planned(summaries, made(read_suite(catalog.suite(suite)), catalog, here=False))
    last = index.planned()
    if last is None:
        return "all records", summaries, []
    title, ids = last
    if {summary.cell for summary in summaries.cells}.issuperset(ids):
        # A finished run's plan need not be read.
        asked = set(ids)
        return title, summaries.subset(summary for summary in summaries.cells if summary.cell in asked), ids
    plan = store.plan()
    return ("all records", summaries, []) if plan is None else _planned(summaries, plan)


def _planned(summaries: Summaries, plan: Plan) -> tuple[str, Summaries, list[str]]:
    cells = {cell.id: cell for cell in plan.cells}
    some = summaries.subset(summary for summary in summaries.cells if summary.cell in cells)
    some.add_missing(cells)
    return plan.suite, some, list(cells)


def _table(index: Index, summaries: Summaries, planned: Sequence[str], ranks: ParallelRanks) -> Table:
    metrics = _metrics_of(summaries)
    groups = comparable_groups(summaries, metrics)
    ranks.announce([group for group in groups if _is_tested(group[1]) and not index.has_ranks(*group)])

    def told(metric: Metric, group: Sequence[CellSummary]) -> list[Place]:
        made, complaints = ranks(metric, group)
        for complaint in complaints:
            print(complaint, file=sys.stderr)
            index.skip_cache()
        return made

    cached = index.cached(told)

    def ranked(metric: Metric, group: Sequence[CellSummary]) -> list[Place]:
        return cached(metric, group) if _is_tested(group) else by_intervals(metric, group)

    return Table(summaries, planned, ranked, metrics)


def _metrics_of(summaries: Summaries) -> Mapping[str, Metric]:
    """Returns the metrics by name; plugins are looked for only where a summary has one that is not tlbench's own."""
    if {summary.metric for summary in summaries.cells if summary.metric} <= METRICS.keys():
        return METRICS
    from tlbench.catalog.catalog import Catalog

    return Catalog.discover().metrics


def _is_tested(summaries: Sequence[CellSummary]) -> bool:
    return any(summary.predictions for summary in summaries)


def _by_predictions(store: Store) -> Callable[[Metric, Sequence[CellSummary]], Tested]:
    def ranked(metric: Metric, summaries: Sequence[CellSummary]) -> Tested:
        complaints: list[str] = []

        def predictions_of(summary: CellSummary) -> CellPredictions | None:
            from tlbench.results.records.stored_predictions import read_predictions

            path = store.predictions(summary) if summary.predictions else None
            try:
                return None if path is None else read_predictions(path, metric.reads_scores)
            except (OSError, ValueError) as error:  # what pyarrow raises of a damaged file is a ValueError
                complaints.append(printable(f"tlbench: {path} cannot be read: {error}"))
                return None

        def complain(text: str) -> None:
            complaints.append(printable(f"tlbench: {text}"))

        return by_predictions(metric, summaries, predictions_of, complain), complaints

    return ranked


def _complain(file: Unreadable) -> None:
    print(printable(f"tlbench: {file.message}; it is left out"), file=sys.stderr)


def _command(suite: str | None, everything: bool) -> str:
    return (
        "tlbench leaderboard" + (f" --suite {shlex.quote(suite)}" if suite else "") + (" --all" if everything else "")
    )
