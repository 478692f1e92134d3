"""Searches of a toy function, by hand or by simulated workers that take random times and die."""

import hashlib
import heapq
import random
from dataclasses import dataclass, field

import msgspec
import pytest

from tlbench import Choice, Float, Int
from tlbench.contracts.cell import Protocol
from tlbench.contracts.record import FitResult, Point
from tlbench.running.search.pruners import should_prune
from tlbench.running.search.study import Search

SPACE = {
    "lr": Float(1e-4, 1e-1, log=True),
    "fixed": Choice((3,)),
    "n": Int(1, 8),
    "kind": Choice(("a", True, 1, 0.5)),
}
WHOLE = 100


def score(params):
    lr, n, kind = (params.get(name, 0) for name in ("lr", "n", "kind"))
    return -abs(lr - 0.01) * 10 - n / 100 + (kind is True) / 10


def new(finished=None, sign=1.0, space=SPACE, defaults=None, identity="cell", **protocol):
    fields = {"trials": 14, "max_steps": WHOLE, **protocol}
    return Search(identity, Protocol(**fields), space, defaults or {"lr": 0.02}, sign, finished or {})


def result(trial, status="ok", validation=None, history=()):
    if validation is None and status == "ok":
        validation = score(trial.params)
    return FitResult(trial.params, 0, "search", trial.number, status, validation=validation, history=history)


def fit(trial, stop_below):
    """Returns the result of a simulated fit and its share of a whole one; they depend only on params and thresholds."""
    rng = random.Random(hashlib.sha256(repr(trial.params).encode()).digest())
    if rng.random() < 0.1:
        return result(trial, "diverged"), rng.random()
    late = rng.random() * 5
    history, best = [], -9.0
    for step in range(10, WHOLE, 10):
        now = score(trial.params) - late / step + rng.gauss(0, 0.02)
        best = max(best, now)
        history.append(Point(step, now, 1.0))
        if should_prune(stop_below, step, best):
            return result(trial, "pruned", history=tuple(history)), step / WHOLE
    return result(trial, history=tuple(history)), 1.0


@dataclass
class Run:
    """The outcome of a simulated search."""

    settings: dict = field(default_factory=dict)
    thresholds: dict = field(default_factory=dict)
    results: dict = field(default_factory=dict)
    fits: int = 0
    idle: float = 0.0
    """The share of time that workers were idle, until the last trial was asked for."""

    @property
    def way(self):
        numbers = sorted(self.results)
        return [(n, repr(self.settings[n]), self.thresholds[n], self.results[n].status) for n in numbers]


def simulate(workers=1, seed=0, kills=0.0, restarts=0.0, **protocol):
    """Runs a search on so many workers, whose fits take random times and end in any order.

    A trial that has the result of an earlier one takes no time.

    Args:
        workers: How many fit at the same time.
        seed: Of how long fits take, and of what dies.
        kills: The share of fits whose worker dies at their end, so that they are fitted again.
        restarts: The share of ends of fits at which everything dies but the results.
    """
    rng, run, search = random.Random(seed), Run(), new(**protocol)
    now, waited, worked, running = 0.0, 0.0, 0.0, []

    def start(trial):
        done, share = fit(trial, search.stop_below(trial.number)) if trial.result is None else (trial.result, 0.0)
        run.fits += trial.result is None
        heapq.heappush(running, (now + share * rng.lognormvariate(0, 0.5), rng.random(), trial, done))

    while not search.is_complete:
        while len(running) < workers and (trial := search.ask()) is not None:
            assert repr(run.settings.setdefault(trial.number, trial.params)) == repr(trial.params)
            known = run.thresholds.setdefault(trial.number, search.stop_below(trial.number))
            assert known == search.stop_below(trial.number)
            start(trial)
        before, (now, _, trial, done) = now, heapq.heappop(running)
        if not search.is_exhausted:
            waited += (now - before) * (workers - 1 - len(running))
            worked += (now - before) * (1 + len(running))
        if rng.random() < kills:
            start(trial)
            continue
        run.results[trial.number] = msgspec.json.decode(msgspec.json.encode(done), type=FitResult)
        if rng.random() < restarts:
            running.clear()
            search = new(run.results, **protocol)
        else:
            search.tell(trial.number, done)
    assert search.is_exhausted
    assert search.ask() is None
    run.idle = waited / (waited + worked or 1.0)
    return run


class Searches:
    """Helpers for tests of searches."""

    SPACE, WHOLE = SPACE, WHOLE
    new, score, result, fit, simulate = map(staticmethod, (new, score, result, fit, simulate))

    @staticmethod
    def all_of(search, fitted=result):
        """Runs a search to its end, one trial after the other; returns all params."""
        settings = {}
        while (trial := search.ask()) is not None:
            settings[trial.number] = trial.params
            search.tell(trial.number, fitted(trial))
        return settings


@pytest.fixture
def searches():
    return Searches
