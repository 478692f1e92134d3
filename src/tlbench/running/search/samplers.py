"""Draws settings by optuna's samplers, from an optuna study in memory that shows a sampler what it may see.

Imports optuna, which takes most of a second: imported where the first setting is drawn.
"""

from __future__ import annotations

import hashlib
import warnings
from collections import deque
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from tlbench.contracts.space import Choice, Domain, Float, Space, Value
from tlbench.running.search.told_trials import Told

Distributions = dict[str, BaseDistribution]
Rows = dict[int, list[float]]
"""Number of a trial to its setting as TPE reckons with it."""
STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


class Draws:
    """Draws the settings of one search, in order of number.

    What a sampler sees when it draws a trial: how those within its horizon ended, and the settings of those after
    them as running, even if some have finished. Each draw has a sampler of its own, seeded by the identity and number.
    """

    def __init__(self, kind: Literal["tpe", "gp", "random"], identity: str, free: Space) -> None:
        self._kind, self._identity, self._free = kind, identity, free
        self._distributions = {name: _distribution(domain) for name, domain in free.items()}
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._storage = optuna.storages.InMemoryStorage()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study = optuna.create_study(
                storage=self._storage, direction="maximize", pruner=optuna.pruners.NopPruner()
            )
        self._rows: Rows = {}
        self._shown = 0
        self._running: deque[int] = deque()

    def draw(
        self,
        number: int,
        seen: int,
        fixed: Mapping[str, Value],
        settings: Mapping[int, Mapping[str, Value]],
        ends: Mapping[int, Told],
    ) -> dict[str, Value]:
        """Returns values for the free hyperparameters, those of `fixed` as they are.

        Args:
            number: Of the trial; greater than that of the draw before.
            seen: How many trials, from the first one on, it may learn from.
            fixed: Values that are not to be drawn.
            settings: Those of all trials before this one, by number.
            ends: How trials ended, at least those that are seen; others are not looked at.
        """
        if self._kind != "random":
            self._show(number, seen, settings, ends)
        self._study.sampler = self._sampler(number)
        if fixed:
            self._study.enqueue_trial({name: _shown(self._free[name], value) for name, value in fixed.items()})
        drawn = self._study.ask(self._distributions).params
        if self._kind != "random":
            self._running.append(number)
            self._shown += 1
        return {name: _value(domain, drawn[name]) for name, domain in self._free.items()}

    def _show(
        self, number: int, seen: int, settings: Mapping[int, Mapping[str, Value]], ends: Mapping[int, Told]
    ) -> None:
        while self._running and self._running[0] < seen:
            self._end(self._running[0], ends[self._running.popleft()])
        for other in range(self._shown, number):
            end = ends[other] if other < seen else None
            self._study.add_trial(self._frozen(settings[other], end))
            if end is None:
                self._running.append(other)
        self._shown = number

    def _frozen(self, setting: Mapping[str, Value], end: Told | None) -> FrozenTrial:
        try:
            params = {name: _shown(domain, setting[name]) for name, domain in self._free.items()}
        except (KeyError, ValueError):
            # Of a space that was another one then: nothing can be learnt from it, and it keeps its number.
            return optuna.trial.create_trial(state=TrialState.FAIL)
        return optuna.trial.create_trial(
            state=STATES[end.state] if end else TrialState.RUNNING,
            value=known_value(end) if end else None,
            params=params,
            distributions=self._distributions,
            intermediate_values=dict(end.curve) if end else None,
        )

    def _end(self, number: int, end: Told) -> None:
        trial = self._storage.get_trial_id_from_study_id_trial_number(self._study._study_id, number)
        if self._storage.get_trial(trial).state.is_finished():
            return
        for step, score in end.curve:
            self._storage.set_trial_intermediate_value(trial, step, score)
        value = known_value(end)
        self._storage.set_trial_state_values(trial, STATES[end.state], None if value is None else [value])

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        digest = hashlib.sha256(f"{self._identity}/{number}".encode()).digest()
        seed = int.from_bytes(digest[:4], "big")
        if self._kind == "random":
            return optuna.samplers.RandomSampler(seed=seed)
        if self._kind == "gp":
            return _Gp(seed, self._distributions)
        return _Tpe(seed, self._distributions, self._rows)


class _Tpe(optuna.samplers.TPESampler):
    """Optuna's, told which hyperparameters there are, which it would look for in all trials at every draw.

    It is also spared to translate every trial's setting at every draw: with 1,000 trials a third of all its work.
    """

    def __init__(self, seed: int, space: Distributions, rows: Rows) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            super().__init__(seed=seed, multivariate=True, constant_liar=True)
        self._known_space, self._known_rows = space, rows

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> Distributions:
        return self._known_space

    def _get_internal_repr(
        self, trials: list[FrozenTrial], search_space: Distributions, study: optuna.Study
    ) -> dict[str, np.ndarray]:
        rows = self._known_rows
        for trial in trials:
            if trial.number not in rows:
                rows[trial.number] = [d.to_internal_repr(trial.params[name]) for name, d in search_space.items()]
        table = np.array([rows[trial.number] for trial in trials]).reshape(len(trials), len(search_space))
        return {name: table[:, column].copy() for column, name in enumerate(search_space)}


class _Gp(optuna.samplers.GPSampler):
    """Optuna's, told which hyperparameters there are."""

    def __init__(self, seed: int, space: Distributions) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            super().__init__(seed=seed, deterministic_objective=False)
        self._known_space = space

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> Distributions:
        return self._known_space


def known_value(end: Told) -> float | None:
    """Returns the value of a trial in an optuna study; of a pruned one its last score."""
    return end.curve[-1][1] if end.state == "pruned" and end.curve else end.value


def _distribution(domain: Domain) -> BaseDistribution:
    # Choices by their place: optuna takes True and 1 for the same.
    if isinstance(domain, Choice):
        return CategoricalDistribution(range(len(domain.values)))
    if isinstance(domain, Float):
        return FloatDistribution(domain.low, domain.high, log=domain.log)
    return IntDistribution(domain.low, domain.high, log=domain.log)


def _shown(domain: Domain, value: Value) -> int | float:
    """Returns a value as optuna has it.

    Raises:
        ValueError: It is not in the domain.
    """
    if isinstance(domain, Choice):
        same = [i for i, known in enumerate(domain.values) if known == value]
        if same:
            return next((i for i in same if type(domain.values[i]) is type(value)), same[0])
    elif not isinstance(value, str) and domain.low <= value <= domain.high:
        return float(value) if isinstance(domain, Float) else int(value)
    raise ValueError(f"{value!r} is not in {domain}")


def _value(domain: Domain, shown: Any) -> Value:
    if isinstance(domain, Choice):
        return domain.values[int(shown)]
    return float(shown) if isinstance(domain, Float) else int(shown)
