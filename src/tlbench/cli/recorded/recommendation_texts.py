"""`tlbench recommend`: prints which recorded combination to take for each task, and how sure that is."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tlbench.cli.board.board_choice import BoardChoice, with_chosen_tasks
from tlbench.cli.comparing.sides import ResultsSide, reported
from tlbench.cli.text_tables import print_facts, print_rows
from tlbench.contracts.errors import StoreError
from tlbench.contracts.metric import Metric
from tlbench.metrics import METRICS
from tlbench.results.columns import OK, Row
from tlbench.results.index import Index
from tlbench.results.leaderboard import Table
from tlbench.results.ranking import Place, Ranked, by_intervals, by_predictions
from tlbench.results.recommendation.costs import CostLimits, cost_text, costs_of
from tlbench.results.recommendation.recommend import (
    OverTasks,
    Recommendation,
    over_tasks,
    recommendations,
)
from tlbench.results.records.cell_ids import distinct_length
from tlbench.results.records.store import Store
from tlbench.results.records.summaries import CellSummary, Summaries
from tlbench.results.render import value_texts as cells
from tlbench.results.render.escaping import printable


def print_recommendations(out: Path, tasks: tuple[str, ...], limits: CostLimits, as_json: bool) -> int:
    """Prints the recommendations, and returns the exit status: 1 if there is none for a task.

    Raises:
        StoreError: The folder has no results with a score.
        UsageError: A task is not recorded.
    """
    store = Store.open(out)
    recorded = Index(store).summaries(reported)
    recorded, _ = with_chosen_tasks(recorded, (), BoardChoice(tasks), recorded)
    if not any(one.status == OK for one in recorded.cells):
        raise StoreError(f"{out}: no record with a score; `tlbench run --out {out}` makes some")
    within = recorded.subset(one for one in recorded.cells if limits.admits(costs_of(one)))
    allowed = _table(within, _ranked(store))
    found = recommendations(allowed, _table(recorded, by_intervals))
    means = over_tasks(allowed)
    if as_json:
        print(json.dumps(_as_json(found, means, limits), indent=1))
    else:
        _print(found, means, limits, distinct_length(one.cell for one in recorded.cells))
    return 1 if any(one.chosen is None for one in found) else 0


def _table(summaries: Summaries, ranked: Ranked) -> Table:
    metrics: Mapping[str, Metric] = METRICS
    if not {one.metric for one in summaries.cells if one.metric} <= METRICS.keys():
        from tlbench.catalog.catalog import Catalog

        metrics = Catalog.discover().metrics
    return Table(summaries, (), ranked, metrics)


def _ranked(store: Store) -> Ranked:
    """Returns a function that ranks by stored predictions."""
    side = ResultsSide(str(store.root), store)

    def ranked(metric: Metric, group: Sequence[CellSummary]) -> list[Place]:
        return by_predictions(metric, group, lambda one: side.predictions(one, metric.reads_scores), _complain)

    return ranked


def _complain(text: str) -> None:
    print(printable(f"tlbench: {text}"), file=sys.stderr)


def _print(found: Sequence[Recommendation], means: Sequence[OverTasks], limits: CostLimits, digits: int) -> None:
    if len(found) == 1:
        print_facts(_facts(found[0], limits, digits))
        return
    headings = ("task", "take", "score", "95% interval", "ties", "P(equal to best)", "finds", "work", "cell")
    print_rows(headings, [_row(one, digits) for one in found])
    for one in means:
        mean = one.row
        ends = "" if mean["low"] is None else f" [{cells.mean_interval(mean)}]"
        score = f"{cells.points(mean['mean'])}{ends} on the scale from the floor to the best value"
        print(printable(f"{one.heading[0].lower()}{one.heading[1:]}: {cells.title(mean)}: {score}; {_tied(one.ties)}"))
    if text := limits.text():
        print(f"{text}: {sum(one.left_out for one in found)} rows left out")
    print("the cheapest of the rows that no test tells apart from the best; `tlbench recommend -t TASK` says more")


def _row(one: Recommendation, digits: int) -> tuple[str, ...]:
    row = one.chosen
    if row is None:
        return one.task, "nothing within the limits", *[cells.NOTHING] * 7
    return (
        one.task,
        cells.title(row),
        cells.score(row),
        cells.interval(row),
        f"{one.ties} of {one.rows - one.untested}" if one.is_tested else cells.ONE_SEED_TEXT,
        "best" if row is one.best else cells.probability(row),
        cells.measured(row["detectable"], row),
        cells.seconds(row["total_seconds"]),
        row["cell"][:digits],
    )


def _facts(one: Recommendation, limits: CostLimits, digits: int) -> list[tuple[str, str]]:
    row = one.chosen
    if row is None:
        facts = [("take", f"nothing: no row of {one.task} is {limits.text()}, or its cost is unknown")]
        return [*facts, ("best of all", _scored(one.beyond))]
    facts = [
        ("take", f"{cells.title(row)}  for {one.task}"),
        ("score", f"{_scored(row, named=False)}  ({cells.examples([row])}; seeds {cells.seeds(row)})"),
        ("cost", cost_text(costs_of(row))),
        ("how sure", _sureness(one)),
        ("could be found", cells.detectable([row])),
    ]
    if one.best is not None and one.best is not row:
        facts.append(("highest score", f"{_scored(one.best)}; {cost_text(costs_of(one.best))}"))
    if one.left_out:
        beyond = f", among them the best: {_scored(one.beyond)}" if one.beyond is not None else ""
        facts.append(("left out", f"{one.left_out} rows that are not {limits.text()}{beyond}"))
    return [*facts, ("more", f"tlbench show {row['cell'][:digits]}")]


def _sureness(one: Recommendation) -> str:
    row = one.chosen
    assert row is not None  # there is nothing to be sure of without a row
    if not one.is_tested:
        return "not tested: the rows have one seed; `tlbench run --seeds 3` tells noise from differences"
    if one.rows == 1:
        return "it is the only row"
    tested = one.rows - one.untested
    seeds = ""
    if one.untested:
        are_all = "the other " if tested == 1 else ""
        others = f"{are_all or 'one other '}row has" if one.untested == 1 else f"{are_all}{one.untested} rows have"
        seeds = f"{others} one seed, which no test compares: `tlbench run --seeds 3` tells noise from differences"
        if tested == 1:
            return f"not tested: {seeds}"
        seeds = f"; {seeds}"
    if one.ties == 1:
        others = "one other row" if tested == 2 else f"each of {tested - 1} other rows"
        alone = "" if row["rank"] == row["rank_last"] else _ALL
        return f"a test of the two alone tells it apart from {others}{alone}{seeds}"
    margin = cells.measured(row["margin"], row) + (" points" if row["in_points"] else "")
    near = f"; within {margin} of the highest with probability {cells.probability(row)}" if row["p_equal"] else ""
    apart = "the tests do not tell them apart, and this one is the cheapest"
    return f"{_tied(one.ties)} of {tested}: {apart}{near}{seeds}"


_ALL = ", but tests of all pairs at once do not"


def _tied(ties: int) -> str:
    return "no row ties with it" if ties == 1 else f"{ties} rows tie"


def _scored(row: Row | None, named: bool = True) -> str:
    if row is None:
        return cells.NOTHING
    score = f"{cells.score(row)} [{cells.interval(row)}]"
    return f"{cells.title(row)}: {score}" if named else f"{cells.metric_label([row])} {score}"


def _as_json(found: Sequence[Recommendation], means: Sequence[OverTasks], limits: CostLimits) -> dict[str, Any]:
    return {
        "format": 1,
        "limits": {
            "memory_bytes": limits.memory_bytes, "seconds": limits.seconds, "parameters": limits.parameters,
        },
        "tasks": [
            {
                "task": one.task,
                "take": _row_json(one.chosen),
                "best": _row_json(one.best),
                "best_beyond_limits": _row_json(one.beyond),
                "is_tested": one.is_tested,
                "ties": one.ties,
                "rows": one.rows,
                "untested": one.untested,
                "left_out": one.left_out,
            }
            for one in found
        ],
        "over_tasks": [
            {"tasks": list(one.tasks), **{name: one.row[name] for name in _MEAN}, "ties": one.ties} for one in means
        ],
    }  # fmt: skip


_MEAN = ("backbone", "strategy", "variant", "mean", "low", "high", "total_seconds")
_ROW = (
    "cell", "backbone", "strategy", "variant", "metric", "value", "low", "high", "seeds", "n", "rank", "rank_last",
    "p_equal", "margin", "detectable",
)  # fmt: skip


def _row_json(row: Row | None) -> dict[str, Any] | None:
    return None if row is None else {**{name: row[name] for name in _ROW}, "costs": costs_of(row)}
