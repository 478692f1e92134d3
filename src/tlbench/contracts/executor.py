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
from typing import Protocol, runtime_checkable

from tlbench.contracts.order import FitOrder, OrderResult


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
class Asked:
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

    def start(self, asked: Asked) -> Executor:
        """Returns an executor that is ready for orders; nothing is connected or started before.

        Raises:
            UsageError: It cannot give what is asked.
        """
