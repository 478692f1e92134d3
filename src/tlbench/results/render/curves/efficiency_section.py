"""The section "Label efficiency": scores at each number of training examples, and what pretrained weights save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tlbench.results.columns import Row
from tlbench.results.label_efficiency.curves import LearningCurve, SizedScore, TaskCurves, task_curves
from tlbench.results.label_efficiency.labels_saved import EqualScore, LabelsSaved, Needed, labels_saved
from tlbench.results.render import value_texts as cells
from tlbench.results.render.escaping import LIMIT, printable
from tlbench.results.render.page_columns import RANKING, Column, PageRow, Value

EFFICIENCY_HEADING = "Label efficiency"
EFFICIENCY_LEGEND = (
    "label efficiency: the score at each number of training examples, with its 95% interval over test examples and "
    "seeds. How many examples the best strategy without pretrained weights needs for an equal score is read off its "
    "curve, linear in the logarithm of the number, between numbers that were measured and never beyond; 95%: over the "
    "noise of both scores, counted as independent, so the range is rather too wide."
)
_NAMES = tuple(column for column in RANKING if column.name in {"backbone", "strategy"})
_MOST_CHARACTERS = 4 * LIMIT


@dataclass(frozen=True)
class EfficiencySection:
    """The learning curves of one task."""

    task: str
    metric: str
    """Label of the metric, with its direction if lower is better."""
    columns: tuple[Column, ...]
    """Backbone, strategy and a column for each number of training examples."""
    lines: tuple[PageRow, ...]
    """A row for each curve."""
    sentences: tuple[str, ...]
    """For each strategy with pretrained weights, how many examples it saves, in one line of visible characters."""
    curves: TaskCurves
    """The curves in full precision, with names that are not escaped."""
    saved: tuple[LabelsSaved, ...]


def efficiency_sections(columns: Mapping[str, Sequence[Any]], most_rows: int | None) -> tuple[EfficiencySection, ...]:
    """Returns a section for each task with curves; of a task with many curves the first `most_rows`, None for all."""
    return tuple(_section(task, most_rows) for task in task_curves(columns))


def _section(task: TaskCurves, most_rows: int | None) -> EfficiencySection:
    sizes = tuple(_size_column(size, number == 0) for number, size in enumerate(task.sizes))
    shown = task.curves[:most_rows]
    rows: list[Row] = [
        {
            "backbone": curve.backbone,
            "strategy": curve.strategy,
            "variant": curve.variant,
            "in_points": task.in_points,
            "points": {point.examples: point for point in curve.points},
        }
        for curve in shown
    ]
    saved = tuple(labels_saved(task))
    return EfficiencySection(
        printable(task.task),
        printable(task.metric_label if task.greater_is_better else f"{task.metric_label} (lower is better)"),
        (*_NAMES, *sizes),
        tuple(PageRow(_values(row, (*_NAMES, *sizes))) for row in rows),
        tuple(printable(text, _MOST_CHARACTERS) for text in _sentences([one for one in saved if one.curve in shown])),
        task,
        saved,
    )


def _size_column(size: int, is_first: bool) -> Column:
    heading = f"{size:,} examples" if is_first else f"{size:,}"
    return Column(f"{size}", heading, heading.replace(" ", "\n"), lambda row: _score(row, row["points"].get(size)))


def _score(row: Row, point: SizedScore | None) -> tuple[float | None, str]:
    if point is None:
        return None, cells.NOTHING
    text = cells.measured(point.value, row)
    if point.low is None or point.high is None:
        return point.value, text
    return point.value, f"{text} ({cells.measured(point.low, row)}\u2013{cells.measured(point.high, row)})"


def _values(row: Row, columns: Sequence[Column]) -> dict[str, Value]:
    read = {column.name: column.read(row) for column in columns}
    return {name: Value(value, printable(text)) for name, (value, text) in read.items()}


def _sentences(saved: Sequence[LabelsSaved]) -> list[str]:
    told = [_sentence(one) for one in saved if one.scores]
    if any(not one.scores for one in saved):
        told.append("Saved labels are given only where scores have three seeds or more.")
    return told


def _sentence(saved: LabelsSaved) -> str:
    names = [
        cells.title({"backbone": one.backbone, "strategy": one.strategy, "variant": one.variant})
        for one in (saved.curve, saved.reference)
    ]
    first, *others = (_equal(one, saved.reference) for one in saved.scores)
    return (
        f"{names[0]} against {names[1]}, at equal score: {'; '.join([first.replace(' ', ' examples ', 1), *others])}."
    )


def _equal(score: EqualScore, reference: LearningCurve) -> str:
    if not reference.points[0].examples <= score.examples <= reference.points[-1].examples:
        return f"{score.examples:,} outside what was measured of it"
    if not score.is_told_apart:
        return f"{score.examples:,} not told apart from as many"
    return f"{score.examples:,} instead of {_needed(score)}"


def _needed(score: EqualScore) -> str:
    text = _number(score.needed, "more than ", "at most ", "about ")
    if score.low.beyond == score.high.beyond != 0:
        return text
    if score.low.beyond == -1:
        return f"{text} (95%: at most {_rounded(score.high.examples)})"
    if score.high.beyond == 1:
        return f"{text} (95%: at least {_rounded(score.low.examples)})"
    return f"{text} (95%: {_rounded(score.low.examples)} to {_rounded(score.high.examples)})"


def _number(needed: Needed, more: str, fewer: str, about: str) -> str:
    if needed.beyond:
        return f"{more if needed.beyond > 0 else fewer}{needed.examples:,.0f}"
    return f"{about}{_rounded(needed.examples)}"


def _rounded(examples: float) -> str:
    """Returns a number that was read off a curve, with two significant digits."""
    return f"{float(f'{examples:.2g}'):,.0f}"
