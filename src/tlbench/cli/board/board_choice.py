"""The options of `tlbench leaderboard` that choose rows, their order, columns and the metric of the ranks."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.contracts.errors import UsageError
from tlbench.contracts.metric import Metric
from tlbench.contracts.published.reference import Reference
from tlbench.results.choice.added_columns import named_in, remarks
from tlbench.results.choice.chosen_rows import hidden_text, matching_places, sorted_places
from tlbench.results.choice.expressions import read_expression
from tlbench.results.choice.fronts import best_places, pareto_places
from tlbench.results.choice.named_columns import NamedColumn, find_column, named_columns
from tlbench.results.choice.ranking_metric import ranked_by
from tlbench.results.choice.recorded_names import matching
from tlbench.results.leaderboard import Table
from tlbench.results.records.record_files import Unreadable
from tlbench.results.records.store import Store
from tlbench.results.records.summaries import Summaries
from tlbench.results.render.escaping import printable
from tlbench.results.render.page_columns import RANKING
from tlbench.results.render.view import View
from tlbench.results.submissions.tiers import read_tiers, tiers_of

if TYPE_CHECKING:
    from tlbench.catalog.catalog import Catalog


DEFAULT_COST = "total_seconds"
"""The cost of a Pareto front: the time of all work on a cell."""


@dataclass(frozen=True)
class BoardChoice:
    """The values of the options that choose rows, their order, columns and metric; empty ones choose everything."""

    tasks: tuple[str, ...] = ()
    backbones: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    sort: str = ""
    columns: str = ""
    """Names of columns, separated by commas."""
    metric: str = ""
    margins: tuple[str, ...] = ()
    ensemble: bool = False
    """Whether to add to each task a row with the ensemble of its cells."""
    pareto: str = ""
    """Names of the costs, separated by commas, of which the front with the score is shown; empty for all rows."""
    by: str = ""
    """Name of the column of which the best row for each value is shown; empty for all rows."""
    tiers: str = ""
    """The file that says how far each record was checked; empty if there is none."""

    @property
    def added_columns(self) -> tuple[str, ...]:
        """The optional columns that the options name."""
        return named_in((self.columns, self.sort, self.pareto, self.by, *self.conditions))

    @property
    def hides(self) -> Mapping[str, bool]:
        """The options that hide rows, each with whether it is given."""
        return {
            "--task": bool(self.tasks),
            "--backbone": bool(self.backbones),
            "--strategy": bool(self.strategies),
            "--filter": bool(self.conditions),
            "--pareto": bool(self.pareto),
            "--by": bool(self.by),
        }

    def arguments(self) -> str:
        """Returns the options as they are written in a command, each after a space."""
        values = [("--task", name) for name in self.tasks]
        values += [("--backbone", name) for name in self.backbones]
        values += [("--strategy", name) for name in self.strategies]
        values += [("--filter", condition) for condition in self.conditions]
        values += [("--cost", name) for name in self.pareto.split(",") if self.pareto not in {"", DEFAULT_COST}]
        values += [("--by", self.by), ("--sort", self.sort), ("--columns", self.columns), ("--metric", self.metric)]
        values += [("--margin", margin) for margin in self.margins]
        given = "".join(f" {option} {shlex.quote(value)}" for option, value in values if value)
        return given + (" --pareto" if self.pareto else "") + (" --ensemble" if self.ensemble else "")


class _Installed:
    """Canonical names of installed objects; plugins are discovered at the first look-up."""

    @cached_property
    def _catalog(self) -> Catalog:
        from tlbench.catalog.catalog import Catalog

        return Catalog.discover()

    def names(self, axis: str) -> Callable[[str], str]:
        """Returns a function that returns the canonical form of a name; `axis` is "task", "backbone" or "strategy"."""
        return lambda name: str(getattr(self._catalog, axis)(name).ref.name)


def with_chosen_tasks(
    summaries: Summaries, planned: Sequence[str], choice: BoardChoice, everywhere: Summaries
) -> tuple[Summaries, list[str]]:
    """Returns the summaries of the chosen tasks, and the ids of the planned cells among them.

    Args:
        summaries: The cells of the run or suite that is shown.
        planned: Ids of its planned cells.
        choice: The options.
        everywhere: All records in the folder; an error says if a task is recorded there but not in `summaries`.

    Raises:
        UsageError: A chosen task has no record in `summaries`.
    """
    if not choice.tasks:
        return summaries, list(planned)
    installed, recorded = _Installed(), _recorded_tasks(summaries)
    try:
        tasks = _all_matching("task", choice.tasks, recorded, installed)
    except UsageError as error:
        if len(everywhere.cells) == len(summaries.cells):
            raise
        _all_matching("task", choice.tasks, _recorded_tasks(everywhere), installed)
        raise UsageError(f"{error}; other runs in this folder have it: --all shows them") from None
    chosen = summaries.subset(summary for summary in summaries.cells if summary.task in tasks)
    kept = {summary.cell for summary in chosen.cells}
    return chosen, [cell_id for cell_id in planned if cell_id in kept]


def _recorded_tasks(summaries: Summaries) -> set[str]:
    return {summary.task for summary in summaries.cells if summary.attempt}


def with_metric(
    store: Store, summaries: Summaries, planned: Sequence[str], metric: str, unreadable: Callable[[Unreadable], None]
) -> tuple[Summaries, list[str]]:
    """Returns summaries with another recorded metric to rank by, and the ids of the planned cells among them.

    Prints to stderr how many cells of each task are left out because the metric was not recorded.

    Raises:
        UsageError: No record has the metric.
    """
    changed, left_out = ranked_by(store, summaries, metric, unreadable)
    for task, number in left_out.items():
        has, are = ("1 cell has", "is") if number == 1 else (f"{number} cells have", "are")
        print(printable(f"tlbench: {task}: {has} no {metric} on record and {are} left out"), file=sys.stderr)
    kept = {summary.cell for summary in changed.cells}
    return changed, [cell_id for cell_id in planned if cell_id in kept]


def chosen_rows(table: Table, choice: BoardChoice, metrics: Mapping[str, Metric]) -> Table:
    """Returns the rows that the chosen backbones, strategies and conditions keep, in the chosen order.

    Raises:
        UsageError: No row has a given name or meets the conditions, or a condition is invalid or a column unknown.
    """
    columns = named_columns(metrics, table.metrics)
    conditions = [read_expression(text, columns) for text in choice.conditions]
    if choice.backbones or choice.strategies or conditions:
        recorded = table.columns(("backbone", "strategy"))
        installed = _Installed()
        backbones = _all_matching("backbone", choice.backbones, {*recorded["backbone"]} - {""}, installed)
        strategies = _all_matching("strategy", choice.strategies, {*recorded["strategy"]}, installed)
        places = matching_places(
            table, conditions, backbones if choice.backbones else None, strategies if choice.strategies else None
        )
        if not places:
            given = " and ".join(option for option, is_given in choice.hides.items() if is_given)
            raise UsageError(f"none of the {len(recorded['backbone'])} rows matches {given}")
        table = table.pick(places)
    if choice.pareto:
        places = pareto_places(table, _costs(choice.pareto, columns))
        if not places:
            raise UsageError(f"--pareto: no row has a score and a known {choice.pareto.replace(',', ' and ')}")
        table = table.pick(places)
    if choice.by:
        table = table.pick(best_places(table, find_column(choice.by, columns, f"--by {choice.by}")))
    if choice.sort:
        column = find_column(choice.sort.removeprefix("-"), columns, f"--sort {choice.sort}")
        table = table.pick(sorted_places(table, column, choice.sort.startswith("-")))
    return table


def view_of(
    choice: BoardChoice,
    table: Table,
    metrics: Mapping[str, Metric],
    hidden: int,
    elsewhere: int,
    id_digits: int,
    references: tuple[Reference, ...] = (),
) -> View:
    """Returns the view with the chosen columns and remarks.

    Args:
        choice: The options.
        table: The table, for the names of its metrics.
        metrics: The known metrics by name.
        hidden: Number of recorded rows that the options hide.
        elsewhere: Number of records of the folder that are outside the run or suite.
        id_digits: Number of digits that tell the cells of the folder apart.
        references: Published scores to show beside ours.

    Raises:
        UsageError: A column is unknown.
    """
    remark = hidden_text(hidden, choice.hides)
    more = "1 more record" if elsewhere == 1 else f"{elsewhere:,} more records"
    hint = f"{more} here: --all" if elsewhere else ""
    names = [name.strip() for name in choice.columns.split(",") if name.strip()]
    known = named_columns(metrics, table.metrics) if names else {}
    chosen: list[NamedColumn] = [find_column(name, known, "--columns") for name in dict.fromkeys(names)]
    return View(
        tuple(column.shown for column in chosen) if chosen else RANKING,
        tuple(dict.fromkeys(name for column in chosen for name in column.frame)),
        (*((remark,) if remark else ()), *_front_remarks(choice), *remarks(choice.added_columns)),
        hint,
        references,
        id_digits,
    )


def with_tiers(view: View, store: Store, choice: BoardChoice) -> View:
    """Returns the view with how far each record was checked, if the options name a file that says it."""
    return replace(view, tiers=tiers_of(store, read_tiers(Path(choice.tiers)))) if choice.tiers else view


def _front_remarks(choice: BoardChoice) -> list[str]:
    if not choice.pareto:
        return []
    costs = " and ".join(name.replace("_", " ") for name in choice.pareto.split(","))
    return [f"Pareto front: no other row of the task has a better score without a larger {costs}, as observed."]


def _costs(names: str, columns: Mapping[str, NamedColumn]) -> list[NamedColumn]:
    costs = [find_column(name, columns, f"--cost {name}") for name in dict.fromkeys(names.split(","))]
    for column in costs:
        if column.is_text or column.is_bool:
            raise UsageError(f"--cost {column.name}: no number; name a cost such as fit, memory or trained")
    return costs


def _all_matching(axis: str, texts: Sequence[str], known: Collection[str], installed: _Installed) -> set[str]:
    return {name for text in texts for name in matching(axis, text, known, installed.names(axis))}
