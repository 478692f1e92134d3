"""The search of one cell: an Optuna study in a sqlite file of its own. The only file that imports optuna.

A study survives any kill: a trial that was running is taken up again under its own number and params, and every
suggestion is drawn by a sampler seeded by the cell and the trial's number, so that an interrupted search goes the way
that an undisturbed one would have gone.
"""

from __future__ import annotations

import hashlib
import itertools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec
import optuna
from optuna.trial import TrialState
from sqlalchemy.engine import URL

from tlbench.contracts.cell import Protocol
from tlbench.contracts.errors import Pruned
from tlbench.contracts.record import FitResult
from tlbench.contracts.space import Choice, Domain, Float, Space, Value, is_fixed
from tlbench.running.generations import together

_STATES = {"ok": TrialState.COMPLETE, "pruned": TrialState.PRUNED}


@dataclass(frozen=True)
class Asked:
    """A setting to try."""

    number: int
    params: dict[str, Value]
    report: Callable[[int, float], None]


class Study:
    """Asks for settings and is told what they gave; scores are such that higher is better."""

    def __init__(
        self, path: Path, identity: str, protocol: Protocol, space: Space, defaults: dict[str, Value], sign: float
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        if not protocol.is_searched:
            # Sampler and pruner of one trial are in no identity, so they must make no difference.
            protocol = msgspec.structs.replace(protocol, sampler="tpe", pruner="none")
        self._space, self._identity, self._protocol, self._sign = space, identity, protocol, sign
        self._free = {name: domain for name, domain in space.items() if not is_fixed(domain)}
        url = URL.create("sqlite", database=str(path.resolve())).render_as_string(hide_password=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study = optuna.create_study(
                study_name="cell",
                storage=optuna.storages.RDBStorage(url, engine_kwargs={"connect_args": {"timeout": 60}}),
                direction="maximize",
                pruner=_pruner(protocol.pruner),
                load_if_exists=True,
            )
        self.total = protocol.trials
        first = [defaults] if defaults else []
        if protocol.sampler == "grid":
            first = grid(self._free, protocol.trials)
            self.total = min(self.total, len(first))
        present = [t.system_attrs.get("fixed_params") for t in self._study.get_trials(deepcopy=False)]
        for setting in first:
            if setting not in present:
                self._study.enqueue_trial(setting)

    def ask(self, batch: int = 1) -> list[Asked]:
        """Returns the settings to try next: those that were running when a process died, and new ones.

        All of them are to be told before the next are asked for. How many they are depends on the protocol and the
        trials so far alone, so that a search goes the same way on one worker and on eight: `batch` where a strategy
        fits several in one pass, one where a pruner compares each with those before it, else `together`.
        """
        running = self.running()
        asked = [self._suggest(trial) for trial in self._reseeded(running)]
        first = min((trial.number for trial in running), default=len(self._begun()))
        size = batch if batch > 1 else together(self._protocol, first)
        while (begun := len(self._begun())) < min(self.total, first + size):
            self._seed(begun)
            asked.append(self._suggest(self._study.ask()))
        return asked

    def running(self) -> list[optuna.trial.FrozenTrial]:
        """Returns the trials that were asked for and not told."""
        return self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    def tell(self, result: FitResult) -> None:
        """Notes what a trial gave; one that did not end in a score is a failed or a pruned trial."""
        value = None if result.status != "ok" or result.validation is None else self._sign * result.validation
        state = _STATES.get(result.status, TrialState.FAIL)
        self._study.tell(result.trial, value, state=state, skip_if_finished=True)

    def _begun(self) -> list[optuna.trial.FrozenTrial]:
        return [t for t in self._study.get_trials(deepcopy=False) if t.state != TrialState.WAITING]

    def _reseeded(self, trials: list[optuna.trial.FrozenTrial]) -> Iterator[optuna.trial.Trial]:
        for trial in trials:
            self._seed(trial.number)
            yield optuna.trial.Trial(self._study, trial._trial_id)

    def _seed(self, number: int) -> None:
        # One seeded sampler would repeat its suggestions whenever the study is resumed.
        digest = hashlib.sha256(f"{self._identity}/{number}".encode()).digest()
        self._study.sampler = _sampler(self._protocol, int.from_bytes(digest[:4], "big"))

    def _suggest(self, trial: optuna.trial.Trial) -> Asked:
        params: dict[str, Value] = {}
        for name, domain in self._space.items():
            params[name] = _suggested(trial, name, domain)

        def report(step: int, value: float) -> None:
            trial.report(self._sign * value, step)
            if trial.should_prune():
                raise Pruned(f"pruned at step {step}")

        return Asked(trial.number, params, report)


def grid(space: Space, trials: int) -> list[dict[str, Value]]:
    """Returns an even grid of at most `trials` settings: every choice, and as many points a number as fit."""
    choices = {name: domain.values for name, domain in space.items() if isinstance(domain, Choice)}
    numbers = [name for name in space if name not in choices]
    room = trials
    for values in choices.values():
        room //= len(values)
    points = max(1, int(room ** (1 / len(numbers)) + 1e-9)) if numbers else 1
    axes = [choices[name] if name in choices else _points(space[name], points) for name in space]
    settings = list(itertools.islice(itertools.product(*axes), 1_000_000))
    # More choices than trials: spread over all of them rather than keep to one corner.
    chosen = [settings[i * len(settings) // trials] for i in range(trials)] if len(settings) > trials else settings
    return [dict(zip(space, setting, strict=True)) for setting in chosen]


def _points(domain: Domain, count: int) -> tuple[Value, ...]:
    assert not isinstance(domain, Choice)
    values: list[Value] = []
    for i in range(count):
        share = 0.5 if count == 1 else i / (count - 1)
        if domain.log:
            value = float(domain.low) ** (1 - share) * float(domain.high) ** share
        else:
            value = domain.low + (domain.high - domain.low) * share
        value = min(max(value, domain.low), domain.high)
        values.append(float(value) if isinstance(domain, Float) else round(value))
    return tuple(dict.fromkeys(values))


def _suggested(trial: optuna.trial.Trial, name: str, domain: Domain) -> Value:
    if isinstance(domain, Choice):
        if len(domain.values) == 1:
            return domain.values[0]
        return cast(Value, trial.suggest_categorical(name, domain.values))
    if domain.low == domain.high:
        return domain.low
    if isinstance(domain, Float):
        return trial.suggest_float(name, domain.low, domain.high, log=domain.log)
    return trial.suggest_int(name, domain.low, domain.high, log=domain.log)


def _sampler(protocol: Protocol, seed: int) -> optuna.samplers.BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if protocol.sampler == "tpe":
            return optuna.samplers.TPESampler(seed=seed)
        if protocol.sampler == "gp":
            return optuna.samplers.GPSampler(seed=seed, deterministic_objective=False)
        return optuna.samplers.RandomSampler(seed=seed)


def _pruner(name: str) -> optuna.pruners.BasePruner:
    if name == "median":
        return optuna.pruners.MedianPruner()
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner()
    return optuna.pruners.NopPruner()
