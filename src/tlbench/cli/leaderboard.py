"""`tlbench leaderboard`, and the leaderboard at the end of a run."""

from __future__ import annotations

import gc
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tlbench.cli.board.board_choice import BoardChoice, chosen_rows, view_of, with_chosen_tasks, with_metric, with_tiers
from tlbench.cli.board.board_files import format_of
from tlbench.cli.board.rendering import check_encodable, rendered, write_folder
from tlbench.cli.text_tables import console
from tlbench.contracts.cell import Cell, Plan
from tlbench.contracts.errors import StoreError
from tlbench.contracts.metric import Metric
from tlbench.contracts.published.reference import Reference
from tlbench.contracts.record import Record
from tlbench.metrics import METRICS
from tlbench.results.columns import PENDING
from tlbench.results.index import Index
from tlbench.results.leaderboard import Table, comparable_groups
from tlbench.results.parallel_ranks import ParallelRanks, Tested
from tlbench.results.ranking import Place, by_intervals, by_predictions
from tlbench.results.records.cell_ids import distinct_length
from tlbench.results.records.record_files import Unreadable
from tlbench.results.records.store import Store
from tlbench.results.records.summaries import CellSummary, Summaries
from tlbench.results.render.escaping import printable
from tlbench.results.render.view import View
from tlbench.results.significance.margins import Margins, read_margins
from tlbench.system.durable import write_durably

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from tlbench.results.stats import CellPredictions


def print_board(
    out: Path,
    suite: str | None,
    choice: BoardChoice,
    everything: bool,
    format_: str,
    files: Sequence[Path] = (),
    to: Path | None = None,
) -> None:
    """Prints or writes the leaderboard of the last run, of a suite, or of every record in the folder.

    Args:
        out: The folder of records.
        suite: Name or file of a suite; None for the last run.
        choice: The rows and columns to show, and the metric to rank by.
        everything: Whether to show all records.
        format_: Name of a renderer.
        files: Files to write, each in the format of its suffix, instead of printing.
        to: Folder to write, for formats that make a folder, instead of printing.
    """
    # Many records make millions of objects without reference cycles, which garbage collection would scan repeatedly.
    gc.disable()
    try:
        _print_board(Store.open(out), suite, choice, everything, format_, files, to)
    finally:
        gc.enable()


class Board(NamedTuple):
    """A leaderboard that can be rendered."""

    table: Table
    title: str
    command: str
    """The command that shows it."""
    view: View


def _print_board(
    store: Store,
    suite: str | None,
    choice: BoardChoice,
    everything: bool,
    format_: str,
    files: Sequence[Path],
    to: Path | None,
) -> None:
    table, title, command, view = board_of(store, choice, suite, everything)
    for file in files:
        write_durably(file, rendered(table, title, command, format_of(file), view).encode())
        print(printable(f"{file}: written"))
    if to is not None:
        number = write_folder(to, store, table, title, command, format_, view)
        print(printable(f"{to}: {number} files"))
    elif not files:
        show(table, title, command, format_, view)


def board_of(
    store: Store,
    choice: BoardChoice = BoardChoice(),  # noqa: B008 - frozen
    suite: str | None = None,
    everything: bool = False,
) -> Board:
    """Returns a leaderboard of the records of a folder; the arguments are those of `print_board`."""
    index = Index(store)
    with ParallelRanks(_by_predictions(store)) as ranks:
        # Without an index, every group must be ranked: start the worker processes while records are being read.
        if index.is_empty:
            ranks.start(index.count_predictions())
        recorded = index.summaries(_complain)
        title, summaries, planned, references = _selected(store, index, recorded, suite, everything)
        if not summaries.cells:
            raise StoreError(f"{store.root}: no records here yet; `tlbench run --out {store.root}` makes some")
        inside = _count_recorded(summaries)
        summaries, planned = with_chosen_tasks(summaries, planned, choice, recorded)
        hidden = inside - _count_recorded(summaries)
        if choice.metric:
            summaries, planned = with_metric(store, summaries, planned, choice.metric, _complain)
        metrics = _metrics_of(summaries)
        ranked_by = {summary.metric for summary in summaries.cells if summary.metric}
        table = _table(index, summaries, planned, ranks, read_margins(choice.margins, metrics, ranked_by))
    table = _with_added_columns(table, store, summaries, choice, metrics)
    chosen = chosen_rows(table, choice, metrics)
    hidden += _count_rows(table) - _count_rows(chosen)
    if choice.ensemble:
        from tlbench.results.post_hoc.ensemble_rows import with_ensembles
        from tlbench.results.post_hoc.stored_splits import StoredSplits

        chosen = with_ensembles(chosen, summaries, metrics, StoredSplits(store), _note)
    ids = [summary.cell for summary in recorded.cells]
    view = view_of(choice, chosen, metrics, hidden, len(ids) - inside, distinct_length(ids), references)
    index.save()
    return Board(chosen, title, _command(suite, everything, choice), with_tiers(view, store, choice))


def _with_added_columns(
    table: Table, store: Store, summaries: Summaries, choice: BoardChoice, metrics: Mapping[str, Metric]
) -> Table:
    """Returns the table with the optional columns that the options name."""
    if not choice.added_columns:
        return table
    from tlbench.results.post_hoc.post_hoc_columns import with_post_hoc_columns
    from tlbench.results.post_hoc.stored_splits import StoredSplits

    return with_post_hoc_columns(table, choice.added_columns, summaries, metrics, StoredSplits(store), _note)


def _count_rows(table: Table) -> int:
    """Returns the number of rows with a record."""
    return sum(status != PENDING for status in table.columns(["status"])["status"])


def _count_recorded(summaries: Summaries) -> int:
    return sum(summary.attempt > 0 for summary in summaries.cells)


def show(table: Table, title: str, command: str, format_: str = "terminal", view: View = View()) -> None:  # noqa: B008
    """Writes a leaderboard to standard output.

    Raises:
        UsageError: The format is unknown, or its renderer fails.
    """
    if format_ == "terminal":
        print_table(console(), table, title, view)
    else:
        text = rendered(table, title, command, format_, view)
        # Formats that programs read are refused rather than written with other characters.
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        check_encodable(text, encoding, f"--format {format_}: the text has", "set PYTHONIOENCODING=utf-8")
        sys.stdout.write(text)
    sys.stdout.flush()


def print_table(console: Console, table: pd.DataFrame | Table, title: str, view: View = View()) -> None:  # noqa: B008
    """Prints a leaderboard to a console, at the width of the console."""
    from tlbench.results.render.formats.terminal import Leaderboard
    from tlbench.results.render.page import Page
    from tlbench.results.render.view import Limits

    console.print(Leaderboard(Page(table, title, limits=Limits(), view=view)))


def load(store: Store, cells: set[str] | None) -> list[Record]:
    """Returns the newest record of each of these cells (None: of all cells); reports unreadable files on stderr."""
    return [record for record in store.records(_complain) if cells is None or record.cell.id in cells]


def frame(store: Store, records: Sequence[Record], expected: Sequence[Cell]) -> Table:
    """Returns the leaderboard of records of the store, ranked by their stored predictions."""
    index, planned = Index(store), {cell.id: cell for cell in expected}
    # Unreadable files were reported by `load`, so they are not reported again.
    known, selected = index.summaries(lambda file: None, records), {record.cell.id for record in records}
    summaries = known.subset(summary for summary in known.cells if summary.cell in selected)
    summaries.add_missing(planned)
    with ParallelRanks(_by_predictions(store)) as ranks:
        table = _table(index, summaries, list(planned), ranks)
    index.save()
    return table


class _Selected(NamedTuple):
    """What a leaderboard shows."""

    title: str
    summaries: Summaries
    planned: Sequence[str] = ()
    """Ids of the planned cells; none if all records are shown."""
    references: tuple[Reference, ...] = ()


def _selected(store: Store, index: Index, summaries: Summaries, suite: str | None, everything: bool) -> _Selected:
    if everything:
        return _Selected("all records", summaries, references=store.references())
    if suite is not None:
        from tlbench.catalog.catalog import Catalog
        from tlbench.planning.plan import plan as plan_suite
        from tlbench.planning.suite import read_suite

        catalog = Catalog.discover()
        # Records are shown even if their data are not on this machine.
        return _planned(summaries, plan_suite(read_suite(catalog.suite(suite)), catalog, here=False))
    last = index.planned()
    if last is None:
        return _Selected("all records", summaries)
    title, ids = last
    if {summary.cell for summary in summaries.cells}.issuperset(ids):
        # The run is finished, so the ids are enough and the plan, which may be large, is not read.
        selected = set(ids)
        some = summaries.subset(summary for summary in summaries.cells if summary.cell in selected)
        return _Selected(title, some, ids, store.references())
    plan = store.plan()
    return _Selected("all records", summaries) if plan is None else _planned(summaries, plan)


def _planned(summaries: Summaries, plan: Plan) -> _Selected:
    cells = {cell.id: cell for cell in plan.cells}
    some = summaries.subset(summary for summary in summaries.cells if summary.cell in cells)
    some.add_missing(cells)
    return _Selected(plan.suite, some, list(cells), plan.references)


def _table(
    index: Index,
    summaries: Summaries,
    planned: Sequence[str],
    ranks: ParallelRanks,
    margins: Margins = Margins(),  # noqa: B008 - frozen
) -> Table:
    metrics = _metrics_of(summaries)
    groups = comparable_groups(summaries, metrics)
    ranks.announce([group for group in groups if _is_tested(group[1]) and not index.has_ranks(*group)])

    def compute(metric: Metric, group: Sequence[CellSummary]) -> list[Place]:
        places, complaints = ranks(metric, group)
        for complaint in complaints:
            print(complaint, file=sys.stderr)
            # Ranks that had problems are computed again next time.
            index.skip_cache()
        return places

    cached = index.cached(compute)

    def ranked(metric: Metric, group: Sequence[CellSummary]) -> list[Place]:
        return cached(metric, group) if _is_tested(group) else by_intervals(metric, group)

    return Table(summaries, planned, ranked, metrics, margins)


def _metrics_of(summaries: Summaries) -> Mapping[str, Metric]:
    """Returns all metrics by name; plugins are discovered only if a cell's metric is not one of tlbench's own."""
    if {summary.metric for summary in summaries.cells if summary.metric} <= METRICS.keys():
        return METRICS
    from tlbench.catalog.catalog import Catalog

    return Catalog.discover().metrics


def _is_tested(summaries: Sequence[CellSummary]) -> bool:
    return any(summary.predictions for summary in summaries)


def _by_predictions(store: Store) -> Callable[[Metric, Sequence[CellSummary]], Tested]:
    # The result runs in forked processes, so it returns complaints instead of printing them.
    def ranked(metric: Metric, summaries: Sequence[CellSummary]) -> Tested:
        complaints: list[str] = []

        def predictions_of(summary: CellSummary) -> CellPredictions | None:
            if not summary.predictions:
                return None
            from tlbench.results.records.stored_predictions import read_predictions

            path = store.predictions(summary)
            try:
                return None if path is None else read_predictions(path, metric.reads_scores, summary.predictions_digest)
            except (OSError, ValueError) as error:  # for a damaged file, pyarrow raises a ValueError
                complaints.append(printable(f"tlbench: {path} cannot be read: {error}"))
                return None

        def complain(text: str) -> None:
            complaints.append(printable(f"tlbench: {text}"))

        return by_predictions(metric, summaries, predictions_of, complain), complaints

    return ranked


def _note(text: str) -> None:
    print(printable(f"tlbench: {text}"), file=sys.stderr)


def _complain(file: Unreadable) -> None:
    print(printable(f"tlbench: {file.message}; it is left out: {file.remedy}"), file=sys.stderr)


def _command(suite: str | None, everything: bool, choice: BoardChoice) -> str:
    selected = (f" --suite {shlex.quote(suite)}" if suite else "") + (" --all" if everything else "")
    return f"tlbench leaderboard{selected}{choice.arguments()}"
