"""The executor contract: an executor decides where orders run, such as in this process, in workers or on a cluster.

A run turns cells into orders and results into records. An executor takes each order to some process, calls
`carry_out(order)` there and returns the result. It knows nothing of searches, records or the test split: the run
repeats orders whose worker died, enforces time limits and gives up after too many attempts.

`tlbench.testing.conformance.ExecutorConformance` tests an executor, including how it reports workers that were killed.

For executors on several machines: `tlbench.running.executors.slot_processes` runs orders in killable processes on one
machine, `worker_slots` chooses a worker, and `order_files` carries files where workers don't have the run's folders.

A complete executor plugin, which runs each order in the calling process:

    from dataclasses import dataclass

    from tlbench import Capacity, carry_out, hookimpl

    class Done:
        def __init__(self, result):
            self.result = lambda: result
            self.cancel = lambda: None

    @dataclass(frozen=True)
    class Direct:
        'Runs each order when it is submitted.'

        name: str = "direct"

        def start(self, request):
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
from tlbench.contracts.fits.class_scores import ClassReport
from tlbench.contracts.fits.latency import Latency
from tlbench.contracts.record import FitResult, Floor, Memory, Provenance, TestGroups, TestScore
from tlbench.contracts.space import Value

# Scoring is an order of its own because it reads the test split and imports libraries that the driver must not.
Purpose = Literal["search", "final", "score", "time"]
KeepModels = Literal["none", "best-seed", "all"]
"""Which models of a cell's final fits are kept: none, that of the seed with the best validation score, or all."""
RUNG_PRUNERS = frozenset({"halving-rungs", "hyperband-rungs"})
"""The pruners under which a trial's first fit is short, and only the best trials have longer ones."""
RUNG_PARTS = (27, 9, 3)
"""Fits under these pruners may be stopped after 1/27, 1/9 and 1/3 of their steps, and report their scores there."""


def step_of_part(total: int, part: int) -> int:
    """Returns the step after which 1/part of `total` steps are done, rounded up."""
    return -(-total // part)


class Fit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fit of a `FitOrder`: a setting of the hyperparameters and a seed."""

    trial: int
    """Number of the trial in the search; for a final fit, the number of the winning trial."""
    seed: int
    params: dict[str, Value]
    searched: dict[str, float] = {}
    """The notes of the winner's fit in the search, for `Job.searched`; empty unless the fit trains on validation."""
    stop_part: int | None = None
    """Part of a whole fit after which this one stops, as 9 for a ninth of its steps; None to let it end.

    The fit ends at the first report that its strategy makes from there on, and is then a prefix of the whole fit. One
    whose strategy reports nothing runs whole."""
    batch_parts: int = 1
    """Number of parts in which each batch is trained (`Job.batch_parts`); above 1 after memory ran out with whole
    batches."""


class FitOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that a worker needs for one piece of work, as JSON that can travel to another process or machine."""

    # A mutable default such as {} is safe below: msgspec gives every object an empty one of its own.
    cell: Cell
    purpose: Purpose
    """`search` reads train and validation; `final` also predicts the test split; `score` has no fits and scores the
    predictions that the final fits wrote to `folder`; `time` measures how long predictions take: those
    of the kept model of its one fit, in `folder`, or without a fit those of the backbone with a new head."""
    fits: tuple[Fit, ...] = ()
    """The fits to run; if there are several, they are run together in one pass over the data."""
    folder: str = ""
    """Folder for the test predictions."""
    attempt: int = 1
    """Number of the attempt: 1 when the order is first submitted, and one higher after each lost worker."""
    device: str = "cpu"
    """Device of the fits: `cpu`, `cuda` or `cuda:<n>`, never `auto`. A worker without this device refuses the order."""
    precision: str = "fp32"
    """Precision of the fits: `fp32`, `bf16-autocast` or `bf16-weights`, never `auto`."""
    threads: int = 1
    devices: int = 1
    """Number of devices of one machine that run each fit together, each in a process of its own."""
    environment: dict[str, str] = {}
    """Environment variables of tlbench: the folders of data and caches, and the plugin modules to load."""
    imports: tuple[str, ...] = ()
    """Modules of the backbone that are slow to import. An executor may fork its worker from a process that has already
    imported them."""
    keep_above: float | None = None
    """Best validation score of the search so far. A predictor with a better score is kept for the final fit; None keeps
    every predictor."""
    stop_below: dict[int, float] = {}
    """By step, the minimum score that a fit needs to continue (signed so that greater is better); a fit with a lower
    score is pruned."""
    # A short fit is not saved to disk, since fitting it again is as quick: its predictor is in that worker alone.
    worker: str = ""
    """Name of the worker that has the winner's predictor in memory; a hint, since that worker may have ended."""
    seconds: float | None = None
    """Time limit of the order in seconds; None for no limit."""
    keep_answers: bool = False
    """Whether a fit of a search writes its predictions of the validation split to `folder`, and is saved there if it
    is better than `keep_above`, although saving it may take a tenth of its time."""
    keep_models: KeepModels = "none"
    """Which predictors of final fits are written to `folder`."""


class OrderResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that a worker returns for one order."""

    results: tuple[FitResult, ...] = ()
    """One per fit, in the order of `FitOrder.fits`."""
    worker: str = ""
    """Name of the worker, for `FitOrder.worker` of a later order."""
    keeps: bool = False
    """Whether the worker still has the predictor of the order's only fit in memory."""
    memory: Memory = Memory()
    energy_joules: float | None = None
    made_with: Provenance = Provenance()
    scores: tuple[TestScore, ...] = ()
    """Scores on the test split. This field and the ten below it are set only by a `score` order."""
    left_out: str = ""
    """One line about scores that could not be computed, such as those of a secondary metric or of a slice; empty if
    all scores were computed."""
    report: ClassReport = ClassReport()
    floor: Floor | None = None
    overlap: dict[str, int] = {}
    test_groups: TestGroups | None = None
    predictions: str = ""
    """Name of the file within `FitOrder.folder` that holds the predictions of all seeds."""
    validation_predictions: str | None = None
    """Name of the file in the same folder with the final fits' predictions of the validation split, or None."""
    no_validation_predictions: str = ""
    """Why there is no file of validation predictions, in one line; empty if there is one."""
    digests: dict[str, str] = {}
    """The digests of these two files, by name."""
    misfits: dict[int, str] = {}
    """For each seed whose stored predictions cannot be scored, the reason; such seeds are fitted again."""
    latencies: tuple[Latency, ...] = ()
    """Of an order with the purpose `time`: how long predictions take, for each number of examples."""
    error: str = ""
    """One line that says why the order failed as a whole, for example because its task cannot be loaded; empty if it
    did not fail."""
    traceback: str = ""
    ends_run: bool = False
    """Whether the run must stop, because every cell would have the error, such as a full disk or a missing device."""


class WorkerLost(Exception):
    """A worker ended before it returned a result.

    The message completes a sentence that begins with "the worker", such as "was killed by SIGKILL".

    Attributes:
        oom: Whether the operating system killed the worker because memory ran out.
    """

    def __init__(self, how: str, oom: bool = False) -> None:
        super().__init__(how)
        self.oom = oom


class OutOfTime(WorkerLost):
    """An order exceeded its time limit, `FitOrder.seconds`."""

    def __init__(self) -> None:
        super().__init__("ran out of time")


# A protocol and not a base class: any hashable object with these two methods will do.
class Handle(Protocol):
    """A submitted order, like a `concurrent.futures.Future`.

    A handle may also have the attribute `has_begun`: False while the order waits for a worker, as in a cluster's queue.
    Its cell's time limit counts only from there on.
    """

    def result(self) -> OrderResult:
        """Returns the result; called only after `Executor.wait` has returned this handle.

        Raises:
            WorkerLost: The worker ended before it returned a result, or the order was cancelled.
        """

    def cancel(self) -> None:
        """Stops the order even in the middle of a fit; `Executor.wait` returns the handle soon after."""


@dataclass(frozen=True)
class Capacity:
    """Number of workers and their hardware, which may differ from that of the machine on which the run was started."""

    workers: int = 1
    """Number of orders that run at the same time."""
    cores: int = 1
    """CPU cores of one worker."""
    device: str = "cpu"
    """Device of one worker: `cpu`, or `cuda` for a GPU of its own."""
    bf16: bool = False
    """Whether the device has bf16 arithmetic in hardware."""
    isolated: bool = False
    """Whether a worker can crash or be killed without ending the run."""
    devices: int = 1
    """Devices of one worker, each with a process and `cores` of its own, for fits that use several together."""


@dataclass(frozen=True)
class ExecutorRequest:
    """The options that a run passes to `ExecutorPlugin.start`."""

    workers: int | None = None
    """Number of workers from `--jobs`; if it is None, the executor chooses a number up to `useful`."""
    useful: int = 1
    """Maximum useful number of workers; with more, some would be idle or run out of memory."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:<n>`, from `--device`."""
    log: str = ""
    """File to which workers redirect their stdout and stderr."""
    environment: dict[str, str] = field(default_factory=dict)
    """`FitOrder.environment` of all orders of the run."""
    memory_bytes: int | None = None
    """Main memory that all workers together may hold; an executor ends a worker that takes more, and reports it as
    lost for lack of memory (`WorkerLost.oom`). None for no limit."""
    devices: int = 1
    """Devices that each fit is to have, from `--devices`; an executor that gives more says so in `Capacity`."""


@runtime_checkable
class Executor(Protocol):
    """A started executor, ready for orders.

    The run calls all methods from one thread, has at most `capacity().workers` orders submitted at a time, and calls
    `close` after errors too.

    An executor guarantees that `wait` eventually returns every submitted order, even if its worker died or the order
    was cancelled. Retrying is the run's job: an executor reports a lost worker and never resubmits an order itself.
    After an answer in which a fit has the status `oom`, it should give the next order to a fresh process.
    """

    def capacity(self) -> Capacity:
        """Returns the number of workers, and the cores and device of each.

        The number of workers may change during a run, down to 0, where machines join and leave; the run asks before
        each order. The rest is constant.
        """

    def submit(self, order: FitOrder) -> Handle:
        """Starts an order and returns its handle.

        There is a free worker for it, unless a machine has left since `capacity`; then the order waits.
        """

    def wait(self, handles: Iterable[Handle], timeout: float | None = None) -> set[Handle]:
        """Returns the handles that have ended: at least one of them, or none after `timeout` seconds."""

    def close(self) -> None:
        """Ends all workers at once; orders that still run are lost."""


# Discovery checks a plugin's object with isinstance, which compares the names of methods and not their signatures.
@runtime_checkable
class ExecutorPlugin(Protocol):
    """The object that a plugin returns from `tlbench_executors`: a frozen dataclass whose fields are its options.

    A user sets the fields on the command line, as in `--executor 'name[jobs=2]'`.
    """

    # A property, because a protocol's attribute could be assigned, which a field of a frozen dataclass cannot.
    @property
    def name(self) -> str:
        """The name for `--executor`, in kebab-case."""

    def start(self, request: ExecutorRequest) -> Executor:
        """Returns an executor that is ready for orders; processes and connections begin here and not earlier.

        Raises:
            UsageError: The request cannot be met, for example because the machine has no such GPU.
        """
