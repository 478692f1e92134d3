"""Records -> one pandas frame, a row for each cell, with ranks that say when they don't know. Pure."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from tlbench.contracts.metric import METRICS
from tlbench.contracts.record import Cell, Record
from tlbench.results.columns import COLUMNS, OK, PENDING, Row
from tlbench.results.provenance import differences
from tlbench.results.ranking import Predictions, add_gains, add_ranks, order

if TYPE_CHECKING:
    import pandas as pd


def frame(
    records: Iterable[Record], expected: Sequence[Cell] = (), predictions: Predictions | None = None
) -> pd.DataFrame:
    """Returns the leaderboard: one row for each cell, best first within each task; the columns are `COLUMNS`.

    Args:
        records: In any order; of several attempts at a cell the newest counts.
        expected: The cells of a plan: those without a record stand in the frame as "pending", and the order of tasks
            is theirs. Without it, tasks stand in alphabetical order.
        predictions: Returns a record's stored predictions (columns seed, id, target, value), or None. With it ranks
            come from paired tests; without it from whether intervals overlap.
    """
    import pandas as pd

    newest: dict[str, Record] = {}
    for record in records:
        known = newest.get(record.cell.id)
        if known is None or known.attempt < record.attempt:
            newest[record.cell.id] = record
    planned = {cell.id: cell for cell in expected}
    kept = sorted(newest.values(), key=lambda record: record.cell.id)
    rows = [
        {**_row(record), "notes": "; ".join(notes), "expected": not planned or record.cell.id in planned}
        for record, notes in zip(kept, differences(kept), strict=True)
    ]
    rows += [_pending(cell) for key, cell in planned.items() if key not in newest]
    cells = {**planned, **{key: record.cell for key, record in newest.items()}}
    _name_variants(rows, cells)
    for task in _by_task(rows).values():
        add_gains(task)
        add_ranks(task, newest, predictions)
    places = {name: place for place, name in enumerate(dict.fromkeys(_task_names(cells.values())))}
    if not expected:
        places = {name: place for place, name in enumerate(sorted(places))}
    rows.sort(key=lambda row: (places[row["task"]], *order(row)))
    whole = [{name: row.get(name) for name in COLUMNS} for row in rows]
    return pd.DataFrame(whole, columns=list(COLUMNS)).astype(COLUMNS)


def progress(table: pd.DataFrame) -> tuple[int, int]:
    """Returns how many of the expected cells have a record, and how many are expected."""
    expected = table[table["expected"]]
    return int((expected["status"] != PENDING).sum()), len(expected)


def _row(record: Record) -> Row:
    protocol, seconds, memory = record.cell.protocol, record.seconds, record.memory
    by_metric: dict[str, list[float]] = defaultdict(list)
    whole = [score for score in record.scores if score.slice is None]
    for score in whole:
        by_metric[score.metric].append(score.value)
    primary = record.metrics[0] if record.metrics else ""
    main = [score for score in whole if score.metric == primary]
    values = [score.value for score in main]
    settings = {msgspec.json.encode(trial.params, order="deterministic") for trial in record.trials}
    peak, baseline = memory.host_peak_bytes, memory.host_baseline_bytes
    return {
        **_identity(record.cell),
        **{metric: statistics.fmean(scores) for metric, scores in by_metric.items() if metric in METRICS},
        **{f"{name}_seconds": value for name, value in msgspec.structs.asdict(seconds).items()},
        "status": record.status if values or record.status != OK else "failed",
        "reason": record.reason if values or record.status != OK else "a record without a test score",
        "metric": primary,
        "value": statistics.fmean(values) if values else None,
        "low": statistics.fmean(score.low for score in main) if main else None,
        "high": statistics.fmean(score.high for score in main) if main else None,
        "seed_std": statistics.stdev(values) if len(values) > 1 else None,
        "seed_min": min(values, default=None),
        "seed_max": max(values, default=None),
        "n": max((score.n for score in main), default=None),
        "trials": max(1, len(record.trials)),
        "searched": len(settings) > 1,
        "seeds": len(values),
        "seeds_planned": len(protocol.seeds),
        "validation": record.validation,
        "host_peak_bytes": peak,
        "host_added_bytes": None if peak is None or baseline is None else max(0, peak - baseline),
        "device_allocated_bytes": memory.device_allocated_bytes,
        "device_reserved_bytes": memory.device_reserved_bytes,
        "energy_joules": record.energy_joules,
        "parameters": record.parameters,
        "trainable_parameters": record.trainable_parameters,
        "examples_seen": record.examples_seen,
        "test_reads": record.test_reads,
        "device": record.provenance.device,
        "precision": record.provenance.precision,
        "threads": record.provenance.threads or None,
    }


def _pending(cell: Cell) -> Row:
    return {
        **_identity(cell),
        "status": PENDING,
        "metric": "",
        "searched": False,
        "seeds": 0,
        "seeds_planned": len(cell.protocol.seeds),
        "device": "",
        "precision": "",
        "reason": "",
        "notes": "",
        "expected": True,
    }


def _identity(cell: Cell) -> Row:
    protocol = cell.protocol
    return {
        "cell": cell.id,
        "task": cell.task.name,
        "backbone": cell.backbone.name if cell.backbone else "",
        "strategy": cell.strategy.name,
        "variant": "",
        "tied": False,
        "ranked_by": "",
        "max_steps": protocol.max_steps,
        "epochs": protocol.epochs,
        "train_limit": protocol.train_limit,
    }


def _task_names(cells: Iterable[Cell]) -> list[str]:
    """Returns the name of each cell's task, with its version where the table holds several: they are not comparable."""
    cells = list(cells)
    versions: dict[str, set[int]] = defaultdict(set)
    for cell in cells:
        versions[cell.task.name].add(cell.task.version)
    return [
        f"{cell.task.name} (version {cell.task.version})" if len(versions[cell.task.name]) > 1 else cell.task.name
        for cell in cells
    ]


def _name_variants(rows: Sequence[Row], cells: dict[str, Cell]) -> None:
    names = dict(zip(cells, _task_names(cells.values()), strict=True))
    alike: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        row["task"] = names[row["cell"]]
        alike[row["task"], row["backbone"], row["strategy"]].append(row)
    for group in alike.values():
        if len(group) > 1:
            parts = [_flat(cells[row["cell"]]) for row in group]
            keys = [key for key in parts[0] if len({part[key] for part in parts}) > 1]
            for row, part in zip(group, parts, strict=True):
                row["variant"] = ", ".join(f"{key}={part[key]}" for key in keys)


def _flat(cell: Cell) -> dict[str, str]:
    whole: Row = {
        **{name: value for name, value in msgspec.structs.asdict(cell.protocol).items()},
        "backbone version": cell.backbone.version if cell.backbone else 0,
        "strategy version": cell.strategy.version,
        "needs": [msgspec.structs.asdict(need) for need in cell.needs],
        "space": cell.space,
    }
    return {name: msgspec.json.encode(value, order="deterministic").decode() for name, value in whole.items()}


def _by_task(rows: Iterable[Row]) -> dict[str, list[Row]]:
    tasks: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        tasks[row["task"]].append(row)
    return tasks
