"""The executor contract: where and how fits are run.

A run turns cells into orders and answers into records. An executor only has orders carried out, each by
`carry_out(order)` in whatever process: it knows nothing of searches, records or the test split. Attempts, deaths and
time limits are the run's. A whole one, which needs no second process:

    from dataclasses import dataclass

    from tlbench import Capacity, carry_out, hookimpl

    class Done:
        def __init__(self, answer):
            self.result = lambda: answer
            self.cancel = lambda: None

    @dataclass(frozen=True)
    class Direct:
        'Runs each order when it is submitted.'

        name: str = "direct"

        def start(self, asked):
            return self

        def capacity(self):
            return Capacity()

        def submit(self, order):
            return Done(carry_out(order))

        def wait(self, handles, timeout=None):
            return set(handles)

        def close(self):
            pass

    @hookimpl
    def tlbench_executors():
        return [Direct()]
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import msgspec

from tlbench.contracts.cell import Cell
from tlbench.contracts.record import ClassReport, FitResult, Memory, Provenance, TestScore
from tlbench.contracts.space import Value

Purpose = Literal["search", "final", "score"]


class Fit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One setting of the hyperparameters at a seed."""

    trial: int
    """The study's number; for a final fit that of the winner."""
    seed: int
    params: dict[str, Value]


class FitOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a worker is told: plain JSON, so that it can travel to another process or machine."""

    cell: Cell
    purpose: Purpose
    """A `search` sees train and validation. A `final` also answers the test split. A `score` has no fits: it scores the
    answers of the final fits, which lie in the folder."""
    fits: tuple[Fit, ...] = ()
    """Several are fitted in one pass."""
    folder: str = ""
    """Where the test predictions go."""
    attempt: int = 1
    """How often the order was given, this time included."""
    device: str = "cpu"
    """Resolved: `cpu`, `cuda` or `cuda:<n>`; a worker that does not have it refuses."""
    precision: str = "fp32"
    """Resolved: `fp32`, `bf16-autocast` or `bf16-weights`."""
    threads: int = 1
    environment: dict[str, str] = {}
    """Environment variables of tlbench: where data and caches are, which plugin modules to load."""
    imports: tuple[str, ...] = ()
    """Modules that the backbone takes long to import: an executor may start its worker from a process that has them."""
    keep_above: float | None = None
    """The best validation score so far: a predictor that does better is kept for the final fit; None keeps any."""
    stop_below: dict[int, float] = {}
    """Step to the validation score that a fit must reach at it, or else it is pruned."""
    worker: str = ""
    """The worker that still has the predictor that is asked for, if it lives."""
    seconds: float | None = None
    """After so many the order is stopped; None for no limit."""


class OrderResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a worker answers to an order."""

    results: tuple[FitResult, ...] = ()
    """One for each fit, in the same order."""
    worker: str = ""
    keeps: bool = False
    """Whether the worker still has the predictor of the order's only fit."""
    memory: Memory = Memory()
    energy_joules: float | None = None
    made_with: Provenance = Provenance()
    scores: tuple[TestScore, ...] = ()
    """Of a `score` order, as the fields below."""
    report: ClassReport = ClassReport()
    overlap: dict[str, int] = {}
    predictions: str = ""
    """The file within the folder that holds the predictions of all seeds."""
    misfits: tuple[int, ...] = ()
    """Seeds whose stored predictions are of another test split, so that they must be fitted again."""
    error: str = ""
    """One line where nothing could be done at all, such as a task that cannot be loaded."""
    traceback: str = ""
    ends_run: bool = False
    """Whether the error is no cell's fault: a full disk, a device that is not there."""


class WorkerLost(Exception):
    """A worker ended before it answered; the message says how: "was killed by SIGKILL"."""

    def __init__(self, how: str, oom: bool = False) -> None:
        super().__init__(how)
        self.oom = oom
        """Whether the system ended it for want of memory."""


class OutOfTime(WorkerLost):
    """An order took longer than its `seconds`."""

    def __init__(self) -> None:
        super().__init__("ran out of time")


class Handle(Protocol):
    """An order on its way."""

    def result(self) -> OrderResult:
        """Returns the answer, once `Executor.wait` has named the handle.

        Raises:
            WorkerLost: The worker ended before it answered, or was cancelled.
        """

    def cancel(self) -> None:
        """Stops the work on the order, whatever it is doing; `wait` names the handle soon after."""


@dataclass(frozen=True)
class Capacity:
    """What an executor offers. It is asked for, and not the machine on which a run is started."""

    workers: int = 1
    """How many orders are carried out at the same time."""
    cores: int = 1
    """Of one worker."""
    device: str = "cpu"
    """What one worker computes on: `cpu`, or `cuda` for a GPU of its own."""
    bf16: bool = False
    """Whether the device multiplies bf16 itself."""
    isolated: bool = False
    """Whether a worker can die, or be stopped, alone."""


@dataclass(frozen=True)
class ExecutorRequest:
    """What a run asks of an executor when it starts it."""

    workers: int | None = None
    """As many as the user said; None for as many as it has, up to `useful`."""
    useful: int = 1
    """More workers than this would find nothing to do, or no memory."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:<n>`."""
    log: str = ""
    """The file for what workers print."""
    environment: dict[str, str] = field(default_factory=dict)
    """That of every order of the run."""


@runtime_checkable
class Executor(Protocol):
    """Has orders carried out; used from one thread."""

    def capacity(self) -> Capacity:
        """Returns its number of workers, and the cores and device of each."""

    def submit(self, order: FitOrder) -> Handle:
        """Takes an order; no more than `capacity().workers` are on their way at a time."""

    def wait(self, handles: Iterable[Handle], timeout: float | None = None) -> set[Handle]:
        """Returns those that have ended: at least one, or none after `timeout` seconds."""

    def close(self) -> None:
        """Ends all workers, whatever they are doing."""


@runtime_checkable
class ExecutorPlugin(Protocol):
    """What a plugin brings: a frozen dataclass whose fields are its settings."""

    @property
    def name(self) -> str:
        """The name on the command line."""

    def start(self, asked: ExecutorRequest) -> Executor:
        """Returns an executor that is ready for orders; nothing is connected or started before.

        Raises:
            UsageError: It cannot give what is asked.
        """
