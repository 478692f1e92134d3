"""Writes searches as Optuna studies into one journal file, for optuna-dashboard.

This module imports Optuna, so it is imported only when studies are written.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from tlbench.contracts.record import PAID, FitResult
from tlbench.running.search.study_export import Direction, Row, study_trials
from tlbench.running.studies.stored_searches import StoredSearch


def write_studies(path: Path, searches: Iterable[StoredSearch]) -> int:
    """Writes one study per search, named by its cell and in the metric's own sign and direction; returns their number.

    Trials have their params, learning curves (intermediate values) and, as user attributes, seed, seconds of training
    and why they failed or were pruned. Their durations are measured; their times are those of trials one after the
    other from the cell's start, since records have no other. An existing file is replaced.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # Written beside its place: a dashboard that has the old file open keeps it.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    count = 0
    try:
        storage = JournalStorage(JournalFileBackend(str(temporary)))
        for search in searches:
            _add(storage, search)
            count += 1
        temporary.touch()
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return count


def _add(storage: JournalStorage, search: StoredSearch) -> None:
    direction: Direction = "maximize" if search.metric.greater_is_better else "minimize"
    study = optuna.create_study(study_name=search.name, storage=storage, direction=direction)
    with warnings.catch_warnings():
        # The names of metrics are an experimental feature of Optuna; without them a dashboard says "value".
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([search.metric.label])
    names = {"cell": search.cell.id, "task": search.cell.task.name, "strategy": search.cell.strategy.name}
    backbone = {"backbone": search.cell.backbone.name} if search.cell.backbone else {}
    for key, value in {**names, **backbone, "metric": search.metric.name}.items():
        study.set_user_attr(key, value)
    longest = {trial.trial: trial for trial in search.trials}
    rows = [_row(longest.get(number)) for number in range(max(longest) + 1)]
    trials, clock = study_trials(search.space, rows), _start_of(search)
    for trial, (_, result) in zip(trials, rows, strict=True):
        if result is not None:
            trial.user_attrs.update(seed=result.seed, fit_seconds=round(result.fit_seconds, 3))
            trial.datetime_start = clock
            clock += timedelta(seconds=sum(getattr(result, name) for name in PAID))
            trial.datetime_complete = clock
    study.add_trials(trials)


def _start_of(search: StoredSearch) -> datetime:
    """Returns the start of a search in local time without a zone, as Optuna has it; now if it is not known."""
    try:
        return datetime.fromisoformat(search.started).astimezone().replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        return datetime.now()


def _row(result: FitResult | None) -> Row:
    return (None, None) if result is None else (result.params, result)
