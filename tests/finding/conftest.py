"""Fixtures that search among the toys in a temporary folder."""

import threading
import time
from dataclasses import dataclass

import pytest

from tlbench.catalog.catalog import Catalog
from tlbench.catalog.hookspecs import hookimpl
from tlbench.contracts.executor import Capacity
from tlbench.contracts.policies.policy import Policy, Proposal
from tlbench.finding.find import Asked, find
from tlbench.finding.find_folder import FindFolder
from tlbench.finding.request import FindRequest
from tlbench.results.records.store import Store
from tlbench.running.run import Settings

TOYS = {"backbones": ("toy",), "strategies": ("toy-fit", "toy-tune")}


class InOrder(Policy):
    """Fits each candidate whole with its defaults, in the order of the list."""

    name = "in-order"

    def next(self, situation):
        for candidate in situation.candidates:
            proposal = Proposal(candidate.number, candidate.defaults, reason="next in order")
            if situation.is_new(proposal) and situation.fits(proposal):
                return proposal
        return None


class ShortFirst(Policy):
    """Fits each candidate to an eighth and then, if none is left, whole."""

    name = "short-first"

    def next(self, situation):
        for part in (8, None):
            for candidate in situation.candidates:
                proposal = Proposal(candidate.number, candidate.defaults, part)
                if situation.is_new(proposal):
                    return proposal
        return None


class Raising(Policy):
    name = "raising"

    def next(self, situation):
        raise RuntimeError("on purpose")


@dataclass(frozen=True)
class NeverStarting:
    """An executor whose first worker never starts."""

    name: str = "never-starting"

    def start(self, request):
        return self

    def capacity(self):
        return Capacity(isolated=True)

    def submit(self, order):
        threading.Event().wait()

    def wait(self, handles, timeout=None):
        return set(handles)

    def close(self):
        pass


@hookimpl
def tlbench_policies():
    return [InOrder(), ShortFirst(), Raising()]


@hookimpl
def tlbench_executors():
    return [NeverStarting()]


class Recorder:
    """Keeps what it is told of a search; `after` is called once so many fits have ended."""

    def __init__(self, after=None, count=0):
        self.fits, self.finalists, self.driver = [], [], None
        self._after, self._count = after, count

    def begins(self, driver, task):
        self.driver = driver

    def fitted(self, fit, entry):
        self.fits.append((entry.title, fit))
        if self._after is not None and len(self.fits) == self._count:
            self._after()

    def finals(self, finalist, entry):
        self.finalists.append((entry.title, finalist))


class Finds:
    """Searches among the toys, in this process."""

    def __init__(self, out):
        self.out = out
        self.catalog = Catalog.discover()

    def asked(self, task="toy-tone", minutes=60, policy="in-order", began=None, executor="inline", **more):
        found = self.catalog.task(task)
        request = FindRequest(found.ref.name, minutes, policy=policy, **{**TOYS, **more})
        settings = Settings(executor, 1, "cpu")
        return Asked(request, found, self.catalog, settings, self.out, time.monotonic() if began is None else began)

    def __call__(self, watcher=None, afresh=False, **what):
        return find(self.asked(**what), watcher or Recorder(), afresh)

    def folder(self, **what):
        Store.create(self.out)
        return FindFolder(self.out / "find" / self.asked(**what).request.id)


@pytest.fixture
def finds(tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,tlbench.testing.faults,tests.finding.conftest")
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    return Finds(tmp_path / "out")
