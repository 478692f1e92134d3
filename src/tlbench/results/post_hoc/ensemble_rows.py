"""Adds ensembles to a leaderboard as rows without a rank."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from tlbench.contracts.cell import Protocol
from tlbench.contracts.metric import Metric
from tlbench.metrics.resampling import score
from tlbench.results.columns import ENSEMBLE, OK, Row
from tlbench.results.leaderboard import Table, comparable_groups
from tlbench.results.metric_columns import METRIC_COLUMNS
from tlbench.results.post_hoc.ensembles import Ensemble, NoEnsemble, cell_name, ensemble_of
from tlbench.results.post_hoc.stored_splits import StoredSplits
from tlbench.results.records.summaries import CellSummary, Setting, Summaries

_MOST_NAMED = 6
"""Maximum number of members that a row's note names."""
_OF_FITS = ("setup_seconds", "encode_seconds", "fit_seconds", "predict_seconds", "examples_seen", "parameters",
            "trainable_parameters")  # fmt: skip
"""Costs of one fit, added over the members at each seed and averaged over seeds."""
_OF_CELLS = ("encode_paid_seconds", "search_seconds", "total_seconds", "energy_joules", "trials")
"""Costs of a whole cell, added over the members."""
_RAISED = (Exception, SystemExit)
"""Exceptions of a plugin's metric that must not end the leaderboard. A metric may call sys.exit by mistake."""


def with_ensembles(
    table: Table,
    summaries: Summaries,
    metrics: Mapping[str, Metric],
    splits: StoredSplits,
    complain: Callable[[str], None],
) -> Table:
    """Returns the table with a row for the ensemble of each of its tasks, after the task's last row with a score.

    Args:
        table: The rows to show.
        summaries: The cells from which ensembles are selected, including cells that the table hides.
        metrics: Metrics by name.
        splits: Reads stored predictions.
        complain: Called with one line for each reason for which cells of a task take no part, and for each task
            without an ensemble.
    """
    shown = {row["cell"]: row for row in table.rows()}
    added, rows = Summaries(), []
    for metric, cells in comparable_groups(summaries, metrics):
        # All cells are candidates, not only rows that are shown: a filter on test scores would select members by them.
        of_task = next((shown[cell.cell] for cell in cells if cell.cell in shown), None)
        if of_task is None:
            continue
        ensemble = _ensemble(of_task["task"], metric, cells, splits, complain)
        if ensemble is None:
            continue
        rows.append(_row(of_task, ensemble))
        _add_summary(added, ensemble, summaries, metrics)
    return table.with_rows(added, rows, _places(table, rows)) if rows else table


def _ensemble(
    task: str, metric: Metric, cells: Sequence[CellSummary], splits: StoredSplits, complain: Callable[[str], None]
) -> Ensemble | None:
    """Returns the ensemble of a task, or None if there is none."""
    left_out: dict[str, list[CellSummary]] = {}

    def leave_out(cell: CellSummary, reason: str) -> None:
        left_out.setdefault(reason, []).append(cell)

    ensemble, fault = None, ""
    try:
        ensemble = ensemble_of(metric, cells, splits, leave_out)
    except NoEnsemble as error:
        fault = f"{error}"
    except _RAISED as error:
        fault = f"{metric.name}: {' '.join(str(error).split())}"
    for reason, some in left_out.items():
        who = f"{cell_name(some[0])} takes" if len(some) == 1 else f"{len(some)} cells take"
        complain(f"{task}: {who} no part in the ensemble: {reason}")
    if ensemble is None:
        complain(f"{task}: no ensemble: {fault}")
    return ensemble


def _places(table: Table, rows: Sequence[Row]) -> list[int]:
    """Returns, for each row, the place after the last row of its task that has a score, or else the table's end."""
    columns = table.columns(("task", "status"))
    behind = {task: i + 1 for i, (task, status) in enumerate(zip(*columns.values(), strict=True)) if status == OK}
    return [behind.get(row["task"], len(columns["task"])) for row in rows]


def _row(of_task: Row, ensemble: Ensemble) -> Row:
    """Returns the values of the columns that a summary does not have, given another row of the task."""
    alike = {name: of_task[name] for name in ("task", *METRIC_COLUMNS)}
    return dict.fromkeys(of_task) | alike | {
        "variant": "", "gain": None, "notes": _note(ensemble), "expected": False, "rank": None, "rank_last": None,
        "ranked_by": ENSEMBLE, "low": ensemble.low, "high": ensemble.high, "interval_of": ensemble.interval_of,
    }  # fmt: skip


def _note(ensemble: Ensemble) -> str:
    weights = ensemble.weights.mean(axis=0).tolist()
    # A semicolon separates notes.
    named = [
        f"{cell_name(member)} {weight:.2f}".replace(";", ",")
        for member, weight in zip(ensemble.members, weights, strict=True)
    ]
    rest = f" and {len(named) - _MOST_NAMED} more {sum(weights[_MOST_NAMED:]):.2f}" if len(named) > _MOST_NAMED else ""
    return f"{ENSEMBLE} of {', '.join(named[:_MOST_NAMED])}{rest} (mean weights over seeds)"


def _add_summary(added: Summaries, ensemble: Ensemble, summaries: Summaries, metrics: Mapping[str, Metric]) -> None:
    members, values = ensemble.members, ensemble.values
    settings = [summaries.settings[member.setting_key] for member in members]
    key = f"ensemble {len(added.cells)}"
    added.settings[key] = Setting(_protocol(settings, ensemble), settings[0].task_version, 0, 0, (), {})
    names = summaries.metrics.get(members[0].metrics_key, ())
    means = {}
    for name in names:
        with suppress(*_RAISED):  # a secondary metric that fails is left out
            means[name] = math.fsum(score(metrics[name], row) for row in ensemble.rows) / len(values)
    added.metrics[key] = tuple(means)
    mean = math.fsum(values) / len(values)
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)) if values[1:] else None
    provenances = {member.provenance_key for member in members}
    added.cells.append(
        CellSummary(
            "", members[0].task, "", ENSEMBLE, key, status=OK,
            provenance_key=provenances.pop() if len(provenances) == 1 else "",
            positive=members[0].positive, metric=ensemble.metric.name, value=mean, low=ensemble.low,
            high=ensemble.high, seed_std=spread, seed_min=min(values), seed_max=max(values), n=len(ensemble.rows[0]),
            searched=any(member.searched for member in members), seeds=len(values), metrics_key=key,
            scores=tuple(means.values()), overlap=members[0].overlap, **_costs(ensemble),
        )
    )  # fmt: skip


def _protocol(settings: list[Setting], ensemble: Ensemble) -> Protocol:
    """Returns a protocol with the settings that the protocols of all members have in common."""
    common: dict[str, Any] = {}
    for name in ("max_steps", "epochs", "train_limit", "train_fraction", "shots"):
        values = {getattr(setting.protocol, name) for setting in settings}
        common[name] = values.pop() if len(values) == 1 else None
    return Protocol(seeds=ensemble.seeds, **common)


def _costs(ensemble: Ensemble) -> dict[str, Any]:
    """Returns the costs of all members together, without the kinds of cost that some member lacks."""
    members, used = ensemble.members, ensemble.weights > 0
    costs: dict[str, Any] = {}
    for name in (*_OF_FITS, *_OF_CELLS):
        values = [getattr(member, name) for member in members]
        if None in values:
            continue
        total = float((used @ values).mean()) if name in _OF_FITS else math.fsum(values)
        costs[name] = total if name.endswith("seconds") or name == "energy_joules" else round(total)
    # The members can be loaded one after the other.
    for name in ("host_peak_bytes", "host_own_bytes", "device_allocated_bytes"):
        costs[name] = max((getattr(member, name) or 0 for member in members), default=0) or None
    return costs
