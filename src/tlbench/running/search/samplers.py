"""Samples params with Optuna's samplers, from an in-memory study that holds only the trials a sampler may see.

This module imports Optuna, which takes most of a second, so it is imported when the first params are sampled.
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

from tlbench.contracts.space import Choice, Domain, Float, Space, Value, existing, exists, is_complete
from tlbench.running.search.trial_outcomes import TrialOutcome

Distributions = dict[str, BaseDistribution]
Rows = dict[int, list[float]]
"""Each trial's params in TPE's internal representation, by trial number."""
TRIAL_STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


class ParamsSampler:
    """Samples the params of one search, trial by trial in order of their numbers.

    When a trial is sampled, the sampler sees the outcomes of the trials in the lag window. All later trials count as
    running, even if some have finished: the sampler sees only their params.
    """

    def __init__(self, kind: Literal["tpe", "gp", "random"], identity: str, free: Space) -> None:
        self._kind, self._identity, self._free = kind, identity, free
        self._distributions = {name: _distribution(domain) for name, domain in free.items()}
        self._is_conditional = any(domain.when for domain in free.values())
        self._is_drawn = kind == "random" and not (
            self._is_conditional or any(one.single() for one in self._distributions.values())
        )
        """Whether values are drawn one by one: Optuna's study, which grows with each trial, is then not asked."""
        # Optuna would otherwise log every trial to stderr.
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._storage = optuna.storages.InMemoryStorage()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            # Trials are pruned by tlbench's own rules, which need no message from a running fit.
            self._study = optuna.create_study(
                storage=self._storage, direction="maximize", pruner=optuna.pruners.NopPruner()
            )
        self._rows: Rows = {}
        self._any_trial = optuna.trial.create_trial(state=TrialState.RUNNING)
        """What a random sampler is given as the trial, which it does not look at."""
        self._added = 0
        """Number of trials in the study; trial n of the search has the number n in the study too."""
        self._running: deque[int] = deque()

    def sample(
        self,
        number: int,
        visible: int,
        fixed: Mapping[str, Value],
        params: Mapping[int, Mapping[str, Value]],
        outcomes: Mapping[int, TrialOutcome],
    ) -> dict[str, Value]:
        """Returns values for the free hyperparameters that exist: those in `fixed` are kept, the others are sampled.

        Args:
            number: The trial's number, greater than in the call before.
            visible: The number of trials, counted from the first one, that the sampler may learn from.
            fixed: Values that are not sampled.
            params: The params of all trials before this one, by number.
            outcomes: Outcomes of finished trials; those beyond `visible` are ignored.
        """
        # A random sampler ignores earlier trials, so the study stays empty for it.
        if self._kind != "random":
            self._update_study(number, visible, params, outcomes)
        sampler = self._study.sampler = self._sampler(number)
        if self._is_drawn and not fixed:
            return self._drawn(sampler)
        if fixed:
            # Optuna takes enqueued values as they are and samples the others.
            self._study.enqueue_trial({name: _to_optuna(self._free[name], value) for name, value in fixed.items()})
        # `ask` adds the trial to the study, as a running one.
        sampled = self._sample_existing() if self._is_conditional else self._study.ask(self._distributions).params
        if self._kind != "random":
            self._running.append(number)
            self._added += 1
        return {name: _from_optuna(domain, sampled[name]) for name, domain in self._free.items() if name in sampled}

    def _drawn(self, sampler: optuna.samplers.BaseSampler) -> dict[str, Value]:
        """Returns the values that `Study.ask` would sample at random, without adding a trial to the study."""
        return {
            name: _from_optuna(
                domain, sampler.sample_independent(self._study, self._any_trial, name, self._distributions[name])
            )
            for name, domain in self._free.items()
        }

    def _sample_existing(self) -> dict[str, Any]:
        """Returns sampled values in Optuna's representation, parents before the hyperparameters that need them."""
        trial = self._study.ask()
        # By the number of their conditions: those of a parent are fewer than those of its children.
        for name in sorted(self._free, key=lambda name: len(self._free[name].when)):
            domain = self._free[name]
            if exists(domain, {one: _from_optuna(self._free[one], value) for one, value in trial.params.items()}):
                _suggest(trial, name, self._distributions[name])
        return trial.params

    def _update_study(
        self,
        number: int,
        visible: int,
        params: Mapping[int, Mapping[str, Value]],
        outcomes: Mapping[int, TrialOutcome],
    ) -> None:
        """Adds the outcomes of trials that have entered the lag window, and missing trials of earlier processes."""
        while self._running and self._running[0] < visible:
            self._finish(self._running[0], outcomes[self._running.popleft()])
        for other in range(self._added, number):
            outcome = outcomes[other] if other < visible else None
            self._study.add_trial(self._frozen_trial(params[other], outcome))
            if outcome is None:
                self._running.append(other)
        self._added = number

    def _frozen_trial(self, params: Mapping[str, Value], outcome: TrialOutcome | None) -> FrozenTrial:
        try:
            known = existing(self._free, params)
            if not is_complete(self._free, known) or any(name in params for name in self._free if name not in known):
                raise ValueError("other hyperparameters exist than these params have")
            values = {name: _to_optuna(self._free[name], value) for name, value in known.items()}
        except (KeyError, ValueError):
            # The trial is from another search space and cannot be learned from. Samplers skip failed trials, and
            # adding one keeps the numbers of the others.
            return optuna.trial.create_trial(state=TrialState.FAIL)
        return optuna.trial.create_trial(
            state=TRIAL_STATES[outcome.state] if outcome else TrialState.RUNNING,
            value=study_value(outcome) if outcome else None,
            params=values,
            distributions={name: self._distributions[name] for name in values},
            intermediate_values=dict(outcome.curve) if outcome else None,
        )

    def _finish(self, number: int, outcome: TrialOutcome) -> None:
        # Written to the storage directly, since `Study.tell` takes no intermediate values.
        trial = self._storage.get_trial_id_from_study_id_trial_number(self._study._study_id, number)
        if self._storage.get_trial(trial).state.is_finished():
            return  # the trial is from another search space, and was added as failed
        for step, score in outcome.curve:
            self._storage.set_trial_intermediate_value(trial, step, score)
        value = study_value(outcome)
        self._storage.set_trial_state_values(trial, TRIAL_STATES[outcome.state], None if value is None else [value])

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        # Each trial has a sampler of its own, seeded by the search and the number. The random state of a shared one
        # would depend on how many trials this process has sampled, so a resumed search would propose other trials.
        digest = hashlib.sha256(f"{self._identity}/{number}".encode()).digest()
        seed = int.from_bytes(digest[:4], "big")
        if self._kind == "random":
            return optuna.samplers.RandomSampler(seed=seed)
        if self._is_conditional:
            return _conditional_sampler(self._kind, seed)
        if self._kind == "gp":
            return _FixedSpaceGP(seed, self._distributions)
        return _FixedSpaceTPE(seed, self._distributions, self._rows)


def _conditional_sampler(kind: Literal["tpe", "gp"], seed: int) -> optuna.samplers.BaseSampler:
    """Returns a sampler for a space in which some hyperparameters exist only with some values of others.

    TPE models those that exist together jointly. The Gaussian process models those that always exist; the others are
    drawn at random.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if kind == "gp":
            return optuna.samplers.GPSampler(seed=seed, deterministic_objective=False)
        return _ConditionalTPE(seed=seed, multivariate=True, group=True, constant_liar=True)


class _ConditionalTPE(optuna.samplers.TPESampler):
    """Optuna's TPE sampler, to which a running trial has no other params than those that exist in it.

    Optuna also counts values that it sampled for params that turned out not to exist. Nothing stores these, so after an
    interruption the search would propose other trials.
    """

    def _get_params(self, trial: FrozenTrial, study: optuna.Study) -> dict[str, Any]:
        # A private method of Optuna; the test of resumed searches fails if it is not called any more.
        return trial.params


def _suggest(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> None:
    if isinstance(distribution, CategoricalDistribution):
        trial.suggest_categorical(name, distribution.choices)
    elif isinstance(distribution, FloatDistribution):
        trial.suggest_float(name, distribution.low, distribution.high, log=distribution.log)
    else:
        assert isinstance(distribution, IntDistribution)
        trial.suggest_int(name, distribution.low, distribution.high, log=distribution.log)


class _FixedSpaceTPE(optuna.samplers.TPESampler):
    """Optuna's TPE sampler with a search space that is known in advance, and a cache of params.

    Optuna would intersect the search spaces of all trials each time, and translate every trial's params again: with
    1,000 trials that is a third of all its work.
    """

    def __init__(self, seed: int, space: Distributions, rows: Rows) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            # The constant liar takes running trials for bad ones, so that parallel workers don't get the same params.
            super().__init__(seed=seed, multivariate=True, constant_liar=True)
        self._known_space, self._known_rows = space, rows

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> Distributions:
        return self._known_space

    def _get_internal_repr(
        self, trials: list[FrozenTrial], search_space: Distributions, study: optuna.Study
    ) -> dict[str, np.ndarray]:
        # A private method of Optuna, which a test compares with the original. `rows` is shared by the samplers of all
        # trials; params of a trial never change, so that a row stays valid.
        rows = self._known_rows
        for trial in trials:
            if trial.number not in rows:
                rows[trial.number] = [d.to_internal_repr(trial.params[name]) for name, d in search_space.items()]
        table = np.array([rows[trial.number] for trial in trials]).reshape(len(trials), len(search_space))
        return {name: table[:, column].copy() for column, name in enumerate(search_space)}


class _FixedSpaceGP(optuna.samplers.GPSampler):
    """Optuna's Gaussian process sampler with a search space that is known in advance."""

    def __init__(self, seed: int, space: Distributions) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            super().__init__(seed=seed, deterministic_objective=False)
        self._known_space = space

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> Distributions:
        return self._known_space


def study_value(outcome: TrialOutcome) -> float | None:
    """Returns a trial's value in an Optuna study: its score, the last reported one if it was pruned, or None."""
    return outcome.curve[-1][1] if outcome.state == "pruned" and outcome.curve else outcome.value


def _distribution(domain: Domain) -> BaseDistribution:
    # Choices are represented by their index, because Optuna compares values and takes True and 1 for the same choice.
    if isinstance(domain, Choice):
        return CategoricalDistribution(range(len(domain.values)))
    if isinstance(domain, Float):
        return FloatDistribution(domain.low, domain.high, log=domain.log)
    return IntDistribution(domain.low, domain.high, log=domain.log)


def _to_optuna(domain: Domain, value: Value) -> int | float:
    """Returns the value's representation in the study: a number, or the index of a choice.

    Raises:
        ValueError: The value is not in the domain.
    """
    if isinstance(domain, Choice):
        same = [i for i, known in enumerate(domain.values) if known == value]
        if same:
            # Among equal choices, such as True and 1, the one of the same type.
            return next((i for i in same if type(domain.values[i]) is type(value)), same[0])
    elif not isinstance(value, str) and domain.low <= value <= domain.high:
        return float(value) if isinstance(domain, Float) else int(value)
    raise ValueError(f"{value!r} is not in {domain}")


def _from_optuna(domain: Domain, value: Any) -> Value:
    if isinstance(domain, Choice):
        return domain.values[int(value)]
    return float(value) if isinstance(domain, Float) else int(value)
