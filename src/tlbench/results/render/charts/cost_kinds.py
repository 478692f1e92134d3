"""The costs that scores are plotted against: time, memory and parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tlbench.results.columns import OK, Row
from tlbench.results.floors import is_floor
from tlbench.results.render import value_texts as cells
from tlbench.results.render.charts.scatter_chart import CostPoint, CostScatter
from tlbench.results.render.memory_texts import memory_bytes

NEEDED = (
    "cell", "task", "backbone", "strategy", "variant", "status", "metric", "metric_label", "greater_is_better",
    "in_points", "value", "low", "high", "encode_seconds", "fit_seconds", "predict_seconds", "total_seconds",
    "host_own_bytes", "host_peak_bytes", "parameters", "trainable_parameters", "notes",
)  # fmt: skip
"""Names of the columns that a row needs for these plots and for the report."""
_MOST_POINTS = 150


@dataclass(frozen=True)
class CostKind:
    """One kind of cost."""

    name: str
    label: str
    """The title of the axis."""
    read: Callable[[Row], float | None]
    text: Callable[[float], str]
    tick_text: Callable[[float], str]


def _fit(row: Row) -> float | None:
    encode, fit = row["encode_seconds"], row["fit_seconds"]
    return None if encode is None or fit is None else encode + fit


def _column(name: str) -> Callable[[Row], float | None]:
    return lambda row: row[name]


def _plain(value: float) -> str:
    # Ticks of a logarithmic scale are powers of ten, which "1m40" would hide.
    return f"{value:,.10g}"


def _size(value: float) -> str:
    return cells.size(round(value))


def _count(value: float) -> str:
    return cells.count(round(value))


COSTS = (
    CostKind("one fit", "seconds to encode and fit once", _fit, cells.seconds, _plain),
    CostKind("all work", "seconds of all work, search included", _column("total_seconds"), cells.seconds, _plain),
    CostKind("prediction", "seconds to predict the test split", _column("predict_seconds"), cells.seconds, _plain),
    CostKind("memory", "peak memory", memory_bytes, _size, _size),
    CostKind(
        "tuned parameters", "tuned parameters", _column("trainable_parameters"),
        _count, _count,
    ),
    CostKind("parameters", "parameters", _column("parameters"), _count, _count),
)  # fmt: skip


def is_baseline(row: Row) -> bool:
    """Returns whether a row uses no pretrained weights."""
    return not row["backbone"] or is_floor(row["strategy"])


def scatter(
    kind: CostKind, rows: Sequence[Row], href: Callable[[Row], str], is_baseline: Callable[[Row], bool]
) -> CostScatter:
    """Returns scores against a cost, of the first rows that have both."""
    points: list[CostPoint] = []
    for row in rows:
        cost = kind.read(row)
        if row["status"] != OK or row["value"] is None or cost is None or len(points) == _MOST_POINTS:
            continue
        name = cells.title(row)
        title = f"{name}: {cells.score(row)}, {kind.text(cost)}"
        points.append(CostPoint(name, float(cost), row["value"], href(row), title, is_baseline(row)))
    first: Row = rows[0] if rows else {"metric_label": "", "in_points": True, "greater_is_better": True}
    return CostScatter(
        kind.label, kind.tick_text, first["metric_label"], lambda value: cells.measured(value, first),
        first["greater_is_better"], tuple(points),
    )  # fmt: skip
