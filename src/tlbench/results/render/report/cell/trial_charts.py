"""Charts and a table of a search: its trials, the expected best of n trials, and learning curves of fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlbench.contracts.record import FitResult, Record
from tlbench.results.render import value_texts as cells
from tlbench.results.render.charts.chart_axes import COLOURS
from tlbench.results.render.charts.line_chart import ChartPoint, LineChart, Series
from tlbench.results.render.escaping import printable
from tlbench.results.render.report.report_tables import DataTable, TableCell, TableColumn, TableRow
from tlbench.results.render.report.templating import drawing
from tlbench.results.selection.expected_best import INDEPENDENT, expected_best, trial_scores

if TYPE_CHECKING:
    from markupsafe import Markup


@dataclass(frozen=True)
class KeyedChart:
    """A chart with a key beside it."""

    title: str
    svg: Markup
    key: tuple[tuple[str, str, bool], ...]
    """The colour and name of each line, and whether it is dashed."""
    remark: str = ""


def trial_table(record: Record) -> DataTable | None:
    """Returns a table of the fits of a search; None without a search."""
    if not record.trials:
        return None
    names = list(dict.fromkeys(name for trial in record.trials for name in trial.params))
    columns = [TableColumn("trial", "trial")]
    columns += [TableColumn(f"p{i}", name, _is_choice(record, name)) for i, name in enumerate(names)]
    columns += [
        TableColumn("validation", "validation", falls=True), TableColumn("status", "status", is_name=True),
        TableColumn("seconds", "fit"),
    ]  # fmt: skip
    rows = tuple(_trial_row(trial, names, record) for trial in record.trials)
    return DataTable("trials", "The fits of the search", tuple(columns), rows)


def _is_choice(record: Record, name: str) -> bool:
    return any(isinstance(trial.params.get(name), str | bool) for trial in record.trials)


def _trial_row(trial: FitResult, names: Iterable[str], record: Record) -> TableRow:
    found = [TableCell(f"{trial.trial}", trial.trial)]
    for name in names:
        value = trial.params.get(name)
        key = value if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
        text = f"{value:.4g}" if isinstance(value, float) else printable(value)
        found.append(TableCell(cells.NOTHING) if value is None else TableCell(text, key))
    score = cells.NOTHING if trial.validation is None else f"{trial.validation:.4f}"
    seconds = trial.fit_seconds + trial.encode_seconds
    found += [TableCell(score, trial.validation), TableCell(trial.status, trial.status)]
    found.append(TableCell(cells.seconds(seconds), seconds))
    return TableRow(tuple(found), is_best=trial.params == record.best_params)


def search_chart(record: Record, text: Callable[[float], str], greater_is_better: bool) -> KeyedChart | None:
    """Returns the validation scores of trials in order with the expected best of n; None if all are equal."""
    scores = trial_scores(record, greater_is_better)
    if len({*scores}) < 2:
        return None
    best = expected_best(scores, greater_is_better)
    series = (
        Series("trials in their order", tuple(ChartPoint(n, one) for n, one in enumerate(scores, 1)), is_line=False),
        Series("expected best of as many trials", tuple(ChartPoint(n, one) for n, one in enumerate(best, 1))),
    )
    sampler = record.cell.protocol.sampler
    remark = (
        ""
        if sampler in INDEPENDENT
        else f"Trials of {sampler} are not independent, so the curve describes this search and predicts no other."
    )
    ticks = tuple(dict.fromkeys((1, *_steps(len(scores)), len(scores))))
    chart = LineChart("validation score", "trials", ticks, text, series)
    return KeyedChart("Search", drawing(chart.svg()), _key(chart), remark)


def learning_chart(record: Record, text: Callable[[float], str]) -> KeyedChart | None:
    """Returns the validation scores that fits reported at their steps; None if no fit reported two."""
    series: list[Series] = []
    for fit in (*record.fits, *record.trials):
        points = tuple(ChartPoint(point.step, point.score) for point in fit.history if point.score is not None)
        if len(points) > 1 and len(series) < len(COLOURS):
            name = f"final fit, seed {fit.seed}" if fit.purpose == "final" else f"trial {fit.trial}"
            series.append(Series(name, points, is_dashed=fit.purpose != "final"))
    steps = sorted({round(point.x) for one in series for point in one.points})
    if not series:
        return None
    chart = LineChart("validation score", "steps", tuple(steps), text, tuple(series))
    return KeyedChart("Learning curves", drawing(chart.svg()), _key(chart))


def loss_chart(record: Record) -> KeyedChart | None:
    """Returns the training losses of the final fits at their steps; None if no fit kept two."""
    series: list[Series] = []
    for fit in record.fits[: len(COLOURS)]:
        losses = [(point.step, point.loss) for point in fit.history if point.score is None and point.loss is not None]
        points = tuple(ChartPoint(step, loss) for step, loss in losses)
        if len(points) > 1:
            series.append(Series(f"final fit, seed {fit.seed}", points))
    if not series:
        return None
    ends = sorted({round(point.x) for one in series for point in one.points})
    ticks = tuple(dict.fromkeys((ends[0], *ends[:: max(1, len(ends) // 5)][1:-1], ends[-1])))
    chart = LineChart("training loss", "steps", ticks, lambda loss: f"{loss:.3g}", tuple(series))
    remark = "Means over parts of the fit; the model of each seed is that of the last step."
    return KeyedChart("Training loss", drawing(chart.svg()), _key(chart), remark)


def _steps(count: int) -> list[int]:
    step = max(1, count // 6)
    return list(range(1 + step, count, step))


def _key(chart: LineChart) -> tuple[tuple[str, str, bool], ...]:
    return tuple((colour, one.name, one.is_dashed) for colour, one in zip(chart.colours, chart.series, strict=True))
