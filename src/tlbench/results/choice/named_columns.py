"""Resolves the names of `--columns`, `--filter` and `--sort`: columns that tables show, and all of the data frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tlbench.catalog.names import nearest
from tlbench.contracts.errors import UsageError
from tlbench.contracts.metric import Metric
from tlbench.results.choice.added_columns import ADDED, F1_AT_THRESHOLD
from tlbench.results.columns import COLUMNS, METRIC, Row, metric_column, with_metrics
from tlbench.results.render import value_texts as cells
from tlbench.results.render.page_columns import RANKING, Column

SHOWN: Mapping[str, tuple[str, ...]] = {
    "rank": ("rank",),
    "backbone": ("backbone",),
    "strategy": ("strategy",),
    "score": ("value",),
    "interval": ("low", "high"),
    "equal": ("p_equal",),
    "spread": ("seed_std",),
    "gain": ("gain",),
    "gain_interval": ("gain_low", "gain_high"),
    "accuracy": (metric_column("accuracy"),),
    "f1": (metric_column("f1"), metric_column("f1_macro")),
    "trials": ("trials",),
    "seeds": ("seeds",),
    "encode": ("encode_seconds",),
    "fit": ("fit_seconds",),
    "search": ("search_seconds",),
    "predict": ("predict_seconds",),
    "memory": ("host_own_bytes", "host_peak_bytes"),
    "device_memory": ("device_allocated_bytes",),
    "trained": ("trainable_parameters",),
}
"""The columns of the frame that each column of a ranking shows; of several, the first that is not missing counts."""
_OF_PRIMARY_METRIC = ("score", "interval", "spread")


@dataclass(frozen=True)
class NamedColumn:
    """A column that a user named."""

    name: str
    frame: tuple[str, ...]
    """Columns of the frame that hold the values; a row's value is the first of them that is not missing."""
    shown: Column
    """The column of the rendered table, with heading and text of each value."""
    is_in_points: Callable[[Row], bool]
    """Whether a row's value, as shown, is 100 times the value in the frame."""
    better: int = 0
    """1 if larger values are better, -1 if smaller ones are, and 0 if neither is."""

    @property
    def is_text(self) -> bool:
        """Whether the values are texts rather than numbers."""
        return COLUMNS.get(self.frame[0], "float64") == "str"

    @property
    def is_bool(self) -> bool:
        """Whether the values are true or false."""
        return COLUMNS.get(self.frame[0]) == "bool"

    def value(self, row: Row) -> Any:
        """Returns the value of a row, times 100 if tables show it in points; None if it is missing."""
        value = next((row[name] for name in self.frame if row[name] is not None), None)
        return 100 * value if value is not None and self.is_in_points(row) else value


def named_columns(metrics: Mapping[str, Metric], recorded: Iterable[str]) -> dict[str, NamedColumn]:
    """Returns the columns by name: those of rankings, recorded metrics by their names, and the columns of the frame.

    Args:
        metrics: The known metrics by name.
        recorded: The names of the metrics in the records.
    """
    recorded = set(recorded)
    columns: dict[str, NamedColumn] = {}
    for column in RANKING:
        frame = SHOWN[column.name]
        columns[column.name] = NamedColumn(column.name, frame, column, _points_of(column.name))
    # Columns of rankings take precedence over metrics of the same name: their F1 falls back to macro F1, for example.
    for name in sorted(recorded):
        columns.setdefault(name, _of_metric(name, metrics.get(name)))
    for name, dtype in with_metrics(recorded).items():
        column = Column(name, name, name, _reader(name, dtype), is_name=dtype == "str")
        columns.setdefault(name, NamedColumn(name, (name,), column, lambda row: False, _direction(name, metrics)))
    for name, better in ADDED.items():
        columns.setdefault(name, _added(name, better))
    return columns


def find_column(name: str, columns: Mapping[str, NamedColumn], option: str) -> NamedColumn:
    """Returns the column of this name; `option` is the command-line option that names it, for the error message.

    Raises:
        UsageError: There is no such column.
    """
    if name not in columns:
        hint = nearest(name, columns)
        hint = hint if hint.endswith("?") else f"; there are {', '.join(columns)}"
        raise UsageError(f"{option}: no column {name!r}{hint}")
    return columns[name]


def _points_of(name: str) -> Callable[[Row], bool]:
    if name in _OF_PRIMARY_METRIC:
        return lambda row: bool(row["in_points"])
    is_in_points = name in {"accuracy", "f1"}
    return lambda row: is_in_points


def _of_metric(name: str, metric: Metric | None) -> NamedColumn:
    column, label = metric_column(name), metric.label if metric else name
    if metric is None or not metric.in_points:
        shown = Column(name, label, name, lambda row: (row[column], _plain(row[column])))
        return NamedColumn(name, (column,), shown, lambda row: False, _sign(metric))
    shown = Column(name, label, name, lambda row: (row[column], cells.points(row[column])))
    return NamedColumn(name, (column,), shown, lambda row: True, _sign(metric))


def _direction(column: str, metrics: Mapping[str, Metric]) -> int:
    return _sign(metrics.get(column.removeprefix(METRIC))) if column.startswith(METRIC) else 0


def _sign(metric: Metric | None) -> int:
    return 0 if metric is None else 1 if metric.greater_is_better else -1


def _reader(name: str, dtype: str) -> Callable[[Row], tuple[Any, str]]:
    if name.endswith("_seconds"):
        return lambda row: (row[name], cells.seconds(row[name]))
    if name.endswith("_bytes"):
        return lambda row: (row[name], cells.size(row[name]))
    if name.endswith("parameters"):
        return lambda row: (row[name], cells.count(row[name]))
    if dtype == "bool":
        return lambda row: (row[name], "yes" if row[name] else "no")
    if dtype == "str":
        return lambda row: (row[name] or None, str(row[name]) or cells.NOTHING)
    return lambda row: (row[name], _plain(row[name]))


def _added(name: str, better: int) -> NamedColumn:
    in_points = name == F1_AT_THRESHOLD
    text = cells.points if in_points else _plain
    shown = Column(name, name.replace("_", " "), name, lambda row: (row.get(name), text(row.get(name))))
    return NamedColumn(name, (name,), shown, lambda row: in_points, better)


def _plain(value: float | None) -> str:
    return cells.NOTHING if value is None else f"{value:.4g}" if isinstance(value, float) else f"{value:,}"
