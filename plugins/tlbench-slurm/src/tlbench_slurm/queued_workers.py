"""The driver's side of workers in Slurm's queue: gives each an order at a time and takes in the results."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tlbench import Capacity, ExecutorRequest, FitOrder, Handle, OrderResult, UsageError, WorkerLost
from tlbench_slurm import cluster
from tlbench_slurm.array_jobs import JobRequest, submit_array
from tlbench_slurm.node_worker import serve
from tlbench_slurm.worker_files import WorkerAnswer, WorkerSettings, read_text, write_whole

STATES_SECONDS = 3.0
"""Interval at which Slurm is asked for the states of jobs; many questions slow down a cluster for everybody."""
BEAT_SECONDS = 10.0
MOST_FAILED_STARTS = 3
"""Number of jobs that may end one after another before any of their workers was ready."""
_POLL_SECONDS = 0.01


class _Handle:
    """The handle of an order that waits for a worker or is carried out by one."""

    def __init__(self, order: FitOrder) -> None:
        self.order = order
        self.outcome: OrderResult | WorkerLost | None = None
        self.cancel_file: Path | None = None
        """The file that stops the order; None until a worker has it."""

    @property
    def has_begun(self) -> bool:
        """Whether a worker has the order; before, the cell's time limit does not count."""
        return self.cancel_file is not None

    def result(self) -> OrderResult:
        assert self.outcome is not None, "result() was called before wait() returned the handle"
        if isinstance(self.outcome, WorkerLost):
            raise self.outcome
        return self.outcome

    def cancel(self) -> None:
        if self.outcome is None and self.cancel_file is None:
            self.outcome = WorkerLost("had not begun and was cancelled")
        elif self.cancel_file is not None:
            # A worker that is lost at this moment has no folder any more.
            with suppress(OSError):
                self.cancel_file.touch()


@dataclass
class _QueuedWorker:
    """A job that serves orders."""

    folder: Path
    job: str
    token: str = ""
    """The token of the process that serves; empty while the job waits in the queue."""
    cell: str = ""
    """The id of the cell whose order it had last."""
    names: str = ""
    """The name of the process that gave the last result, which `FitOrder.worker` refers to."""
    handle: _Handle | None = None
    answer: Path = Path()


class QueuedWorkers:
    """An executor whose workers are jobs of an array, each with a process for the fits of one cell at a time."""

    def __init__(self, request: ExecutorRequest, capacity: Capacity, jobs: JobRequest) -> None:
        """Puts the workers into the queue.

        Raises:
            UsageError: Slurm refuses the jobs.
        """
        self._capacity, self._jobs = capacity, jobs
        self._folder = Path(request.log).resolve().parent / f"slurm-workers-{secrets.token_hex(4)}"
        (self._folder / "jobs").mkdir(parents=True)
        settings = WorkerSettings(capacity.device, request.log, request.environment, capacity.devices)
        write_whole(self._folder / "settings.json", msgspec.json.encode(settings))
        self._workers: list[_QueuedWorker] = []
        self._waiting: list[_Handle] = []
        self._orders = self._beats = self._started = self._failed_starts = 0
        self._beaten = self._asked = -1e9
        try:
            self._beat()
            self._add_workers(capacity.workers)
        except BaseException:
            self.close()
            raise

    def capacity(self) -> Capacity:
        """Returns the number of jobs, and the cores and device of each."""
        return self._capacity

    def submit(self, order: FitOrder) -> Handle:
        """Gives an order to an idle worker, or to the first that becomes ready."""
        handle = _Handle(order)
        self._waiting.append(handle)
        self._assign()
        return handle

    def wait(self, handles: Iterable[Handle], timeout: float | None = None) -> set[Handle]:
        """Returns the handles that have ended."""
        waited = {handle for handle in handles if isinstance(handle, _Handle)}
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            self._beat()
            self._take_answers()
            if time.monotonic() - self._asked > STATES_SECONDS:
                self._take_states()
            self._assign()
            done = {handle for handle in waited if handle.outcome is not None}
            if done or (deadline is not None and time.monotonic() >= deadline):
                return set(done)
            time.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """Cancels all jobs and removes the files."""
        # Workers end at the first of these that reaches them.
        with suppress(OSError):
            (self._folder / "stop").touch()
        with suppress(UsageError):
            cluster.cancel([worker.job for worker in self._workers])
        self._workers.clear()
        # A worker may write an answer in between, so that the folder is not empty when it is removed.
        for _ in range(3):
            shutil.rmtree(self._folder, ignore_errors=True)

    def _add_workers(self, count: int) -> None:
        for start in range(0, count, most := cluster.most_array_tasks()):
            folders = []
            for _ in range(start, min(start + most, count)):
                folders.append(self._folder / f"worker-{self._started}")
                folders[-1].mkdir()
                self._started += 1
            ids = submit_array(self._jobs, serve, folders, self._folder / "jobs")
            self._workers += [_QueuedWorker(folder, job) for folder, job in zip(folders, ids, strict=True)]
        self._asked = time.monotonic()

    def _beat(self) -> None:
        if time.monotonic() - self._beaten > BEAT_SECONDS:
            self._beats += 1
            write_whole(self._folder / "beat", str(self._beats).encode())
            self._beaten = time.monotonic()

    def _assign(self) -> None:
        """Gives waiting orders to idle workers that are ready."""
        self._waiting = [handle for handle in self._waiting if handle.outcome is None]
        if not self._waiting:
            return
        idle = [worker for worker in self._workers if worker.handle is None and self._is_ready(worker)]
        while self._waiting and idle:
            handle = self._waiting.pop(0)
            order = handle.order
            # Best is the worker that holds the winner's predictor, then one that has the cell's data and weights.
            worker = min(idle, key=lambda one: (one.names != (order.worker or None), one.cell != order.cell.id))
            idle.remove(worker)
            self._orders += 1
            name = f"{worker.token}-{self._orders:09d}"
            worker.handle, worker.cell = handle, order.cell.id
            worker.answer = worker.folder / f"answer-{name}.json"
            handle.cancel_file = worker.folder / f"cancel-{name}"
            write_whole(worker.folder / f"order-{name}.json", msgspec.json.encode(order))

    def _is_ready(self, worker: _QueuedWorker) -> bool:
        if not worker.token:
            worker.token = read_text(worker.folder / "ready").partition(" ")[0]
            if worker.token:
                self._failed_starts = 0
        return bool(worker.token)

    def _take_answers(self) -> None:
        for worker in self._workers:
            if worker.handle is not None:
                self._take_answer(worker)

    def _take_answer(self, worker: _QueuedWorker) -> bool:
        """Sets the outcome of the worker's order if its answer is there, and returns whether it is."""
        handle = worker.handle
        if handle is None:
            return False
        try:
            answer = msgspec.json.decode(worker.answer.read_bytes(), type=WorkerAnswer)
        except FileNotFoundError:
            return False
        except (OSError, msgspec.DecodeError) as error:
            answer = WorkerAnswer(lost=f"answered what is no answer: {error}")
        worker.answer.unlink(missing_ok=True)
        worker.handle = None
        if answer.result is not None:
            handle.outcome, worker.names = answer.result, answer.result.worker
        else:
            handle.outcome = WorkerLost(answer.lost, answer.oom)
        return True

    def _take_states(self) -> None:
        """Finds workers whose job has ended or was put back into the queue, and replaces those that are needed."""
        states = cluster.job_states([worker.job for worker in self._workers])
        self._asked = time.monotonic()
        for worker in tuple(self._workers):
            state = states.get(worker.job)
            if state is None or state.phase == "ended":
                self._remove(worker, state.detail if state else "is gone")
            elif worker.token and read_text(worker.folder / "ready").partition(" ")[0] != worker.token:
                # The job runs again: what the earlier process had in hand is lost.
                self._lose(worker, "was put back into the queue")
            elif worker.token and state.phase == "waiting":
                (worker.folder / "ready").unlink(missing_ok=True)
                self._lose(worker, f"was put back into the queue: {state.detail}")
        missing = min(self._capacity.workers, len(self._waiting)) - sum(one.handle is None for one in self._workers)
        if missing > 0:
            self._add_workers(missing)

    def _lose(self, worker: _QueuedWorker, how: str, oom: bool = False) -> None:
        if not self._take_answer(worker) and worker.handle is not None:
            worker.handle.outcome = WorkerLost(f"in Slurm's job {worker.job} {how}", oom)
            worker.handle = None
        worker.token = ""

    def _remove(self, worker: _QueuedWorker, detail: str) -> None:
        """Removes a worker whose job has ended.

        Raises:
            UsageError: Job after job ends before its worker is ready.
        """
        if not worker.token and not self._is_ready(worker):
            self._failed_starts += 1
            if self._failed_starts >= MOST_FAILED_STARTS:
                output = self._output(worker.job)
                raise UsageError(f"slurm: the workers could not start: job {worker.job} {detail}: {output}")
        self._lose(worker, f"ended: {detail}", detail.startswith("OUT_OF_MEMORY"))
        self._workers.remove(worker)
        # What a process that still runs writes from now on is read by nobody.
        shutil.rmtree(worker.folder, ignore_errors=True)

    def _output(self, job: str) -> str:
        """Returns the last line that a job printed."""
        lines = read_text(self._folder / "jobs" / f"{job}_0_log.out").splitlines()
        return next((line for line in reversed(lines) if line.strip()), "it printed nothing")[:300]
