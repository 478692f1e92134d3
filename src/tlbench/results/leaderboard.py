"""Lines of records -> one pandas frame, a row for each cell, with ranks that say when they don't know. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from tlbench.contracts.cell import Cell, Protocol
from tlbench.contracts.metric import Metric
from tlbench.contracts.record import Provenance, Record
from tlbench.metrics import METRICS
from tlbench.results.columns import METRIC, OK, PENDING, Row, as_rows, with_metrics
from tlbench.results.provenance_notes import differences
from tlbench.results.ranking import NOWHERE, Place, Ranked, by_intervals, by_predictions, gains, goodness, places
from tlbench.results.records.summaries import CellSummary, Setting, Summaries, summaries_of

if TYPE_CHECKING:
    import pandas as pd

    from tlbench.results.stats import CellPredictions

_OF_PROTOCOL: dict[str, Callable[[Protocol], Any]] = {
    "seeds_planned": lambda protocol: len(protocol.seeds),
    "max_steps": lambda protocol: protocol.max_steps,
    "epochs": lambda protocol: protocol.epochs,
    "train_limit": lambda protocol: protocol.train_limit,
}
_OF_MACHINE: dict[str, Callable[[Provenance], Any]] = {
    "device": lambda made: made.device,
    "precision": lambda made: made.precision,
    "threads": lambda made: made.threads or None,
}

Predictions: TypeAlias = "Callable[[Record], pd.DataFrame | None]"


def frame(
    records: Iterable[Record],
    expected: Sequence[Cell] = (),
    predictions: Predictions | None = None,
    metrics: Mapping[str, Metric] = METRICS,
) -> pd.DataFrame:
    """Returns the leaderboard: one row for each cell, best first within each task, with the columns of `COLUMNS`.

    Args:
        records: In any order; of several attempts at a cell the newest counts.
        expected: The cells of a plan: those without a record stand in the frame as "pending", and the order of tasks
            is theirs. Without it, tasks stand in alphabetical order.
        predictions: Returns a record's stored predictions (columns seed, id, target, value), or None. With it ranks
            come from paired tests; without it from whether intervals overlap.
        metrics: By name, as for `Table`.
    """
    records = list(records)
    lines = summaries_of(records)
    planned = {cell.id: cell for cell in expected}
    lines.add_missing(planned)
    if predictions is None:
        return table(lines, list(planned), metrics=metrics)
    kept = {(record.cell.id, record.attempt): record for record in records}

    def predictions_of(line: CellSummary) -> CellPredictions | None:
        from tlbench.results.records.stored_predictions import predictions_in as stored_in

        stored = predictions(kept[line.cell, line.attempt])
        return None if stored is None else stored_in({str(name): column.to_numpy() for name, column in stored.items()})

    return table(lines, list(planned), lambda metric, group: by_predictions(metric, group, predictions_of), metrics)


def table(
    lines: Summaries,
    planned: Sequence[str] = (),
    ranked: Ranked = by_intervals,
    metrics: Mapping[str, Metric] = METRICS,
) -> pd.DataFrame:
    """Returns the leaderboard of lines as a frame of all columns; the arguments are those of `Table`."""
    return Table(lines, planned, ranked, metrics).frame()


class Table:
    """A leaderboard before it is a frame: what takes all lines to say is known, and columns are made as they are asked.

    Args:
        lines: One for each cell, in order of the cells' ids, pending ones last.
        planned: The ids of a plan's cells in its order, all of which have a line; as `expected` of `frame`.
        ranked: Places the lines of one task that have a score in one metric.
        metrics: By name: tlbench's own, or those of a catalog with plugins' beside them.
    """

    def __init__(
        self,
        lines: Summaries,
        planned: Sequence[str] = (),
        ranked: Ranked = by_intervals,
        metrics: Mapping[str, Metric] = METRICS,
    ) -> None:
        rows = lines.rows
        tasks = _task_names(lines)
        variants = _variants(lines, tasks)
        groups: dict[str, list[int]] = defaultdict(list)
        for i, task in enumerate(tasks):
            groups[task].append(i)
        conditions = _conditions(lines)
        gained: list[float | None] = [None] * len(rows)
        placed = [NOWHERE] * len(rows)
        order: list[int] = []
        for task in _task_order(lines, tasks, planned):
            part = [rows[i] for i in groups[task]]
            gained_here, placed_here = gains(part, metrics, conditions), places(part, ranked, metrics)
            for i, gain, place in zip(groups[task], gained_here, placed_here, strict=True):
                gained[i], placed[i] = gain, place
            keyed = zip(part, groups[task], strict=True)
            keys = [
                (*goodness(line, metrics), line.backbone, line.strategy, variants[i], line.cell, i) for line, i in keyed
            ]
            order += [key[-1] for key in sorted(keys)]
        self._lines, self._order = lines, order
        self._added: dict[str, Sequence[Any]] = {
            "task": tasks,
            "variant": variants,
            "gain": gained,
            "notes": [
                "; ".join((*notes, line.mixture) if line.mixture else notes)
                for notes, line in zip(differences(lines), rows, strict=True)
            ],
            "expected": _expected(rows, planned),
            **dict(zip(Place._fields, map(list, zip(*placed, strict=True)), strict=False)),
            **_of_metrics([line.metric for line in rows], metrics),
        }

    def frame(self) -> pd.DataFrame:
        """Returns all columns of all rows, best first within each task."""
        import pandas as pd

        columns = self._every()
        made = {name: _column(values, columns[name]) for name, values in self._columns(columns).items()}
        # In the order of lines, and then put in place: far quicker than out of order.
        return pd.DataFrame(made).take(self._order).reset_index(drop=True)

    def rows(self, columns: Iterable[str] | None = None, places: Sequence[int] | None = None) -> list[Row]:
        """Returns these columns, or all, of the rows at these places in the frame, or of all; needs no pandas."""
        chosen = self._order if places is None else [self._order[place] for place in places]
        return as_rows(self._columns(self._every() if columns is None else columns, chosen))

    def columns(self, names: Iterable[str]) -> dict[str, Sequence[Any]]:
        """Returns these columns of all rows, in the order of the frame; needs no pandas."""
        return {name: list(map(values.__getitem__, self._order)) for name, values in self._columns(names).items()}

    def _every(self) -> dict[str, str]:
        return with_metrics(name for names in self._lines.metrics.values() for name in names)

    def _columns(self, names: Iterable[str], chosen: Sequence[int] | None = None) -> dict[str, Sequence[Any]]:
        lines, added = self._lines.rows, self._added
        if chosen is not None:
            lines = [lines[i] for i in chosen]
            added = {name: [values[i] for i in chosen] for name, values in added.items()}
        return {
            name: added.get(name) or self._shared(name, lines) or list(map(attrgetter(name), lines)) for name in names
        }

    def _shared(self, name: str, rows: Sequence[CellSummary]) -> list[Any] | None:
        """Returns a column that is a metric's, the cell's protocol's or the machine's."""
        if name.startswith(METRIC):
            return self._lines.scores(name.removeprefix(METRIC), rows)
        if name in _OF_PROTOCOL:
            known = {key: _OF_PROTOCOL[name](setting.protocol) for key, setting in self._lines.settings.items()}
            return [known[line.setting] for line in rows]
        if name in _OF_MACHINE:
            made = {key: _OF_MACHINE[name](provenance) for key, provenance in self._lines.made.items()}
            nothing = _OF_MACHINE[name](Provenance())
            return [made.get(line.made, nothing) for line in rows]
        return None


def compared(lines: Summaries, metrics: Mapping[str, Metric] = METRICS) -> list[tuple[Metric, list[CellSummary]]]:
    """Returns what a table of these lines ranks together: a metric, and lines of one task that have a score in it."""
    groups: dict[tuple[str, str], list[CellSummary]] = defaultdict(list)
    for line, task in zip(lines.rows, _task_names(lines), strict=True):
        if line.status == OK:
            groups[task, line.metric].append(line)
    return [(metrics[name], group) for (_, name), group in groups.items() if name in metrics]


def progress(table: pd.DataFrame) -> tuple[int, int]:
    """Returns how many of the expected cells have a record, and how many are expected."""
    expected = table[table["expected"]]
    return int((expected["status"] != PENDING).sum()), len(expected)


def _column(values: Sequence[Any], dtype: str) -> Any:
    import numpy as np
    import pandas as pd

    if dtype == "Int64" and None not in values:
        # What pandas does for integers that may be missing takes ten times as long.
        return pd.array(np.asarray(values, dtype=np.int64), dtype="Int64")
    return pd.Series(values, dtype=dtype)


def _of_metrics(names: Sequence[str], metrics: Mapping[str, Metric]) -> dict[str, list[Any]]:
    """Returns the columns that say what each row's metric is; of one that nobody knows, what most are."""
    unknown = ("unknown metric", True, True, 0.0)
    facts: dict[str, tuple[str, bool, bool, float | None]] = {"": ("", True, True, 0.0)}
    for name in {*names} - {""}:
        metric = metrics.get(name)
        facts[name] = (metric.label, metric.greater_is_better, metric.in_points, metric.worst) if metric else unknown
    columns = {}
    for place, title in enumerate(("metric_label", "greater_is_better", "in_points", "metric_worst")):
        of = {name: fact[place] for name, fact in facts.items()}
        columns[title] = [of[name] for name in names]
    return columns


def _expected(rows: Sequence[CellSummary], planned: Sequence[str]) -> list[bool]:
    asked = set(planned)
    return [not asked or line.cell in asked for line in rows]


def _task_names(lines: Summaries) -> list[str]:
    """Returns the name of each line's task, with its version where the table holds several: they are not comparable."""
    versions: dict[str, set[int]] = defaultdict(set)
    kinds = [(line.task, line.setting) for line in lines.rows]
    names: dict[tuple[str, str], str] = {}
    for task, setting in dict.fromkeys(kinds):
        versions[task].add(lines.settings[setting].task_version)
        names[task, setting] = f"{task} (version {lines.settings[setting].task_version})"
    return [names[kind] if len(versions[kind[0]]) > 1 else kind[0] for kind in kinds]


def _task_order(lines: Summaries, tasks: Sequence[str], planned: Sequence[str]) -> list[str]:
    if not planned:
        return sorted(set(tasks))
    of = {line.cell: task for line, task in zip(lines.rows, tasks, strict=True)}
    return list(dict.fromkeys([*(of[cell] for cell in planned), *tasks]))


def _variants(lines: Summaries, tasks: Sequence[str]) -> list[str]:
    """Returns in what each line differs from others of the same task, backbone and strategy; empty if it is alone."""
    names = [(task, line.backbone, line.strategy) for line, task in zip(lines.rows, tasks, strict=True)]
    alike: dict[tuple[str, str, str], list[int]] = {}
    if len({*names}) < len(names):
        for i, name in enumerate(names):
            alike.setdefault(name, []).append(i)
    flat = {key: _flat(setting) for key, setting in lines.settings.items()}
    variants = [""] * len(tasks)
    said: dict[tuple[str, ...], list[str]] = {}
    for group in alike.values():
        if len(group) < 2:
            continue
        settings = tuple(lines.rows[i].setting for i in group)
        if settings not in said:
            parts = [flat[key] for key in settings]
            keys = [key for key in parts[0] if len({part[key] for part in parts}) > 1]
            said[settings] = [", ".join(f"{key}={part[key]}" for key in keys) for part in parts]
        for i, variant in zip(group, said[settings], strict=True):
            variants[i] = variant
    return _with_limits(lines, tasks, variants)


def _with_limits(lines: Summaries, tasks: Sequence[str], variants: list[str]) -> list[str]:
    """Returns the variants, with how much was trained on wherever that differs within a task."""
    of_setting = {key: setting.protocol.train_limit for key, setting in lines.settings.items()}
    if len({*of_setting.values()}) < 2:
        return variants
    limits = [of_setting[line.setting] for line in lines.rows]
    of_task: dict[str, set[int | None]] = defaultdict(set)
    for task, limit in zip(tasks, limits, strict=True):
        of_task[task].add(limit)
    return [
        ", ".join(filter(None, (f"train_limit={'all' if limit is None else limit}", variant)))
        if len(of_task[task]) > 1 and "train_limit=" not in variant
        else variant
        for task, limit, variant in zip(tasks, limits, variants, strict=True)
    ]


def _conditions(lines: Summaries) -> Callable[[CellSummary], Hashable]:
    """Returns what tells apart lines of a task that no gain goes between: training examples, and the test split's."""
    limits = {key: setting.protocol.train_limit for key, setting in lines.settings.items()}
    tests = {key: made.data.get("test", "") for key, made in lines.made.items()}
    return lambda line: (limits[line.setting], tests.get(line.made, ""))


def _flat(setting: Setting) -> dict[str, str]:
    whole: dict[str, Any] = {
        **msgspec.structs.asdict(setting.protocol),
        "backbone version": setting.backbone_version,
        "strategy version": setting.strategy_version,
        "needs": [msgspec.structs.asdict(need) for need in setting.needs],
        "space": setting.space,
    }
    return {name: msgspec.json.encode(value, order="deterministic").decode() for name, value in whole.items()}
