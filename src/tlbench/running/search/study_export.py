"""Exports a search as an Optuna study in a SQLite file, for dashboards.

This module imports Optuna, so it is imported only when a search is exported.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import secrets
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from optuna.trial import FrozenTrial, TrialState

from tlbench.contracts.record import FitResult
from tlbench.contracts.space import Choice, Domain, Float, Space, Value
from tlbench.running.search.samplers import TRIAL_STATES, study_value
from tlbench.running.search.trial_outcomes import outcome_of

Direction: TypeAlias = Literal["maximize", "minimize"]

Row = tuple[Mapping[str, Value] | None, FitResult | None]
"""A trial's params (None if the trial was never asked for) and its result (None if it has not finished)."""


def export(path: Path, name: str, sign: float, free: Space, rows: Iterable[Row]) -> None:
    """Writes a study with one trial per row, in the order of the rows and with scores in the metric's own sign.

    An existing file is replaced, but stays as it was if the export fails.

    Args:
        path: The SQLite file.
        name: The name of the study.
        sign: 1.0 where greater scores are better, -1.0 where smaller ones are.
        free: The domains of the hyperparameters that are searched.
        rows: The trials.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    trials = study_trials(free, rows)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        _write(temporary, name, "maximize" if sign > 0 else "minimize", trials)
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def study_trials(free: Space, rows: Iterable[Row]) -> list[FrozenTrial]:
    """Returns one trial of an Optuna study per row, with scores in the metric's own sign.

    Args:
        free: The domains of the hyperparameters that are searched.
        rows: The trials.
    """
    distributions = {name: _distribution(domain) for name, domain in free.items()}
    return [_trial(row, free, distributions) for row in rows]


_STUDIES_WITHOUT_TRIALS: dict[Direction, bytes] = {}
"""SQLite files of studies that have no trials, kept because Optuna takes 0.2 s to create its tables."""


def _write(path: Path, name: str, direction: Direction, trials: list[FrozenTrial]) -> None:
    if direction in _STUDIES_WITHOUT_TRIALS:
        path.write_bytes(_STUDIES_WITHOUT_TRIALS[direction])
    else:
        _create_study(path, name, direction, [])
        _STUDIES_WITHOUT_TRIALS[direction] = path.read_bytes()
    try:
        with contextlib.closing(_connect(path)) as connection, connection:
            connection.execute("UPDATE studies SET study_name = ?", (name,))
            _insert(connection, trials)
    except sqlite3.Error:
        # This version of Optuna has other tables: write slowly through its own interface.
        path.unlink()
        _create_study(path, name, direction, trials)


def _create_study(path: Path, name: str, direction: Direction, trials: list[FrozenTrial]) -> None:
    engine = {"creator": functools.partial(_connect, path)}
    storage = optuna.storages.RDBStorage("sqlite:///", engine_kwargs=engine)
    try:
        optuna.create_study(study_name=name, storage=storage, direction=direction).add_trials(trials)
    finally:
        # SQLAlchemy keeps the file open otherwise.
        storage.remove_session()
        storage.engine.dispose()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=60, check_same_thread=False)
    # The file is renamed once it is complete, so that SQLite's guarantees for single writes would cost time for
    # nothing.
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = MEMORY")
    return connection


def _insert(connection: sqlite3.Connection, trials: list[FrozenTrial]) -> None:
    """Inserts all trials with SQL: 0.1 s for 1,000 trials of ten steps, where Optuna's interface takes 15 s."""
    rows: list[list[tuple[object, ...]]] = [[] for _ in _INSERTS]
    trial_rows, params, values, steps, attributes = rows
    for number, trial in enumerate(trials):
        key = number + 1
        began, ended = (moment and str(moment) for moment in (trial.datetime_start, trial.datetime_complete))
        trial_rows.append((key, number, trial.state.name, began, ended))
        for name, value in trial.params.items():
            kind = trial.distributions[name]
            params.append((key, name, kind.to_internal_repr(value), distribution_to_json(kind)))
        values.extend((key, value) for value in trial.values or ())
        steps.extend((key, step, score) for step, score in trial.intermediate_values.items())
        attributes.extend((key, name, json.dumps(value)) for name, value in trial.user_attrs.items())
    for statement, some in zip(_INSERTS, rows, strict=True):
        connection.executemany(statement, some)


_INSERTS = (
    "INSERT INTO trials (trial_id, number, study_id, state, datetime_start, datetime_complete)"
    " VALUES (?, ?, 1, ?, ?, ?)",
    "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) VALUES (?, ?, ?, ?)",
    "INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES (?, 0, ?, 'FINITE')",
    "INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type)"
    " VALUES (?, ?, ?, 'FINITE')",
    "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (?, ?, ?)",
)


def _trial(row: Row, free: Space, distributions: dict[str, BaseDistribution]) -> FrozenTrial:
    values, result = row
    if values is None:
        # A gap in the numbers, which dashboards show as a waiting trial.
        return optuna.trial.create_trial(state=TrialState.WAITING)
    exported = {name: _exported_value(free[name], values[name]) for name in free if name in values}
    # A value of an earlier search space may be outside the domain, and Optuna could not load the study with it.
    params = {name: value for name, value in exported.items() if _contains(distributions[name], value)}
    # Scores keep their own sign: the study has a direction.
    outcome = None if result is None else outcome_of(result, 1.0)
    return optuna.trial.create_trial(
        state=TrialState.RUNNING if outcome is None else TRIAL_STATES[outcome.state],
        value=None if outcome is None else study_value(outcome),
        params=params,
        distributions={name: distributions[name] for name in params},
        intermediate_values={} if outcome is None else dict(outcome.curve),
        user_attrs={} if result is None else _attributes(result),
    )


def _attributes(result: FitResult) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {} if result.repeats is None else {"repeats": result.repeats}
    return {**attributes, "status": result.status, "reason": result.reason} if result.reason else attributes


def _distribution(domain: Domain) -> BaseDistribution:
    if isinstance(domain, Choice):
        return CategoricalDistribution([_exported_value(domain, value) for value in domain.values])
    if isinstance(domain, Float):
        return FloatDistribution(domain.low, domain.high, log=domain.log)
    return IntDistribution(domain.low, domain.high, log=domain.log)


def _exported_value(domain: Domain, value: Value) -> Value:
    """Returns the value as the study holds it: as text if some choices of the domain compare equal, like True and 1."""
    if isinstance(domain, Choice) and len(set(domain.values)) < len(domain.values):
        return repr(value)
    return value


def _contains(distribution: BaseDistribution, value: Value) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    if isinstance(value, str) or not math.isfinite(value):
        return False
    # Optuna has no public check for this.
    return distribution._contains(distribution.to_internal_repr(value))
