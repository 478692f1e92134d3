"""The executor on a Ray cluster: gives orders to workers, and asks the cluster for more or fewer of them."""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tlbench import Capacity, Executor, ExecutorRequest, FitOrder, Handle, UsageError, WorkerLost
from tlbench.running.executors import order_files
from tlbench.running.executors.worker_slots import choose_slot
from tlbench_ray import connection
from tlbench_ray.cluster_workers import ClusterSlot, ClusterWorkers, NodeSettings, alive_machines, lost_by
from tlbench_ray.node_actors import NodeAnswer
from tlbench_ray.node_facts import CACHE, DATA
from tlbench_ray.order_handle import OrderHandle
from tlbench_ray.reservation import reservation_of

if TYPE_CHECKING:
    from tlbench_ray.plugin import RayCluster

CHECK_SECONDS = 2.0
"""Time in seconds between looks at the machines of the cluster."""
START_SECONDS, MORE_SECONDS = 120.0, 10.0
"""Longest time to wait for the first worker where there is room for one, and for the others after it."""
IMPORT_SECONDS = 600.0
"""Longest time for the import of the workers' libraries, which on an idle machine takes seconds."""
IDLE_SECONDS = 60.0
"""Time in seconds after which a worker without an order is given back to the cluster, if another one is left."""
GPU_SHARE = "TLBENCH_GPU_SHARE"
"""As `tlbench.running.fitting.session` reads it, whose import costs that of torch."""


def started_executor(options: RayCluster, request: ExecutorRequest) -> Executor:
    """Connects to the cluster, waits for the first workers and returns the executor.

    Raises:
        UsageError: Ray is not installed, no cluster answers, it has no room, or a machine has other versions.
    """
    is_own = connection.connect(options.address, (options.workers or 0) * (options.cpus or 1))
    executor = None
    try:
        executor = ClusterExecutor(options, request, is_own)
        executor.await_workers()
    except BaseException:
        if executor is not None:
            executor.close()
        elif is_own:
            connection.disconnect()
        raise
    return executor


class ClusterExecutor:
    """An executor whose workers are on the machines of a Ray cluster."""

    def __init__(self, options: RayCluster, request: ExecutorRequest, is_own: bool) -> None:
        self._options, self._request, self._is_own = options, request, is_own
        environment = {
            **request.environment,
            **({DATA: options.data} if options.data else {}),
            **({CACHE: options.cache} if options.cache else {}),
        }
        self._environment = environment
        log = request.log or str(Path(tempfile.gettempdir()) / "tlbench-ray.log")
        folder = Path(log).parent
        # One name, so that killed drivers leave one file. A second driver in the folder writes it anew; machines that
        # join the first one later then return their files, which is right as well.
        self._probe = folder / ".ray-folder"
        reservation = reservation_of(
            options.cpus, options.gpus, options.memory, request.device, alive_machines(), request.devices
        )
        self._cores = max(1, reservation.cpus // request.devices)
        settings = NodeSettings(
            log, self._cores, environment, os.getcwd(), options.working_dir, str(self._probe),
            secrets.token_hex(16),
        )  # fmt: skip
        if options.working_dir and not os.path.isdir(options.working_dir):
            raise UsageError(f"ray[working_dir={options.working_dir}]: there is no such folder")
        with suppress(OSError):
            self._probe.write_text(settings.content, encoding="ascii")
        self._workers = ClusterWorkers(reservation, settings)
        self._waiting: deque[OrderHandle] = deque()
        """Orders for which there was no free worker, because a machine has left since the run looked."""
        self._target, self._checked = 0, -1e9
        self._is_bf16 = True
        self.refused = 0
        """Number of answers that came after their attempt was given up."""

    def await_workers(self) -> None:
        """Waits until the cluster has placed the workers, or some of them.

        Raises:
            UsageError: No machine is large enough, all are busy, or one has other versions.
        """
        began, first = time.monotonic(), None
        while True:
            self._check(force=True)
            ready, now = len(self._workers.ready), time.monotonic()
            first = first or (now if ready else None)
            if ready and (ready >= self._target or (first is not None and now - first > MORE_SECONDS)):
                break
            self._refuse_if_hopeless(now - began)
            self._workers.take_events(0.5)
        self._is_bf16 = all(slot.place.bf16 for slot in self._workers.ready if slot.place is not None)

    def capacity(self) -> Capacity:
        """Returns the number of workers that are ready now, and what each has."""
        self._workers.take_events(0.0)
        self._check()
        reservation = self._workers.reservation
        device = "cuda" if reservation.gpus else "cpu"
        ready, devices = len(self._workers.ready), self._request.devices
        return Capacity(ready, self._cores, device, self._is_bf16, isolated=True, devices=devices)

    def submit(self, order: FitOrder) -> Handle:
        """Gives the order to a worker, or keeps it until there is one."""
        handle = OrderHandle(order, secrets.token_hex(6), self._cancel)
        self._waiting.append(handle)
        self._send_waiting()
        return handle

    def wait(self, handles: Iterable[Handle], timeout: float | None = None) -> set[Handle]:
        """Returns the handles that have ended, and looks after the cluster meanwhile."""
        waited = {handle for handle in handles if isinstance(handle, OrderHandle)}
        deadline = None if timeout is None else time.monotonic() + timeout
        while not (done := {handle for handle in waited if handle.outcome is not None}):
            left = CHECK_SECONDS if deadline is None else deadline - time.monotonic()
            if left <= 0:
                break
            self._workers.take_events(min(left, CHECK_SECONDS))
            self._check()
            self._send_waiting()
        return set(done)

    def close(self) -> None:
        """Ends all workers, and the connection if it was made for this run."""
        with suppress(OSError):
            self._probe.unlink(missing_ok=True)
        self._workers.close()
        if self._is_own:
            connection.disconnect()

    def _send_waiting(self) -> None:
        while self._waiting:
            handle = self._waiting[0]
            slot = None if handle.outcome is not None else choose_slot(self._workers.ready, handle.order)
            if slot is None and handle.outcome is None:
                return
            self._waiting.popleft()
            if isinstance(slot, ClusterSlot):
                try:
                    self._send(slot, handle)
                except OSError as error:
                    # The folder of results cannot be read or written, which the run reports as it does elsewhere.
                    slot.free(None)
                    handle.lose(WorkerLost(f"got no files: {error}"))

    def _send(self, slot: ClusterSlot, handle: OrderHandle) -> None:
        node, place, order = slot.node, slot.place, handle.order
        assert node is not None
        assert node.facts is not None
        assert place is not None
        slot.take(order, handle)
        files, folder = None, Path(order.folder)
        returns = self._options.files == "returned" or (self._options.files == "auto" and not node.facts.sees_results)
        if returns and order.folder:
            files = order_files.read_files(folder, order_files.read_names(order, folder))
        elif order.folder:
            folder.mkdir(parents=True, exist_ok=True)
        environment: dict[str, str] = {}
        if place.gpus:
            environment = {"CUDA_VISIBLE_DEVICES": ",".join(place.gpus)}
            if (share := self._workers.reservation.gpus) < 1:
                environment[GPU_SHARE] = str(share)
        sent = msgspec.structs.replace(order, environment={**order.environment, **self._environment})
        ref = node.actor.carry_out.remote(
            handle.token, slot.number, msgspec.json.encode(sent), environment, files
        )  # fmt: skip
        self._workers.follow(ref, lambda answer, error: self._on_answer(slot, handle, answer, error))

    def _on_answer(
        self, slot: ClusterSlot, handle: OrderHandle, answer: NodeAnswer | None, error: BaseException | None
    ) -> None:
        if answer is not None and not handle.answer(answer):
            self.refused += 1
            handle.clear()
        if slot.handle is handle:
            outcome = handle.outcome
            slot.free(None if outcome is None or isinstance(outcome, WorkerLost) else outcome)
        if answer is None and handle.outcome is None:
            lost = lost_by(error)
            handle.lose(lost)
            if slot.node is not None:
                # An error of the call, not of the fit: nobody knows what the machine still does.
                self._workers.drop_node(slot.node, lost)

    def _cancel(self, handle: OrderHandle) -> None:
        slot = next((slot for slot in self._workers.slots if slot.handle is handle), None)
        if slot is None or slot.node is None:
            handle.lose(WorkerLost("was cancelled before it began"))
            return
        slot.node.actor.cancel.remote(handle.token)

    def _check(self, force: bool = False) -> None:
        """Asks the cluster for as many workers as are useful, gives back idle ones, and gives up silent machines."""
        now = time.monotonic()
        if not force and now - self._checked < CHECK_SECONDS:
            return
        self._checked = now
        workers = self._workers
        for slot in list(workers.slots):
            handle = slot.handle
            if handle is not None and handle.deadline is not None and handle.deadline < now and slot.node is not None:
                workers.drop_node(slot.node, WorkerLost("did not answer when its order was cancelled"))
        asked = self._options.workers or self._request.workers
        room = sum(workers.reservation.places(machine) for machine in alive_machines())
        useful = max(1, self._request.useful)
        self._target = self._options.workers or min(asked or room, useful)
        ready = workers.ready
        idle = [slot for slot in ready if slot.handle is None]
        if not idle or force:
            workers.reserve(self._target)
        elif len(ready) > 1 and not self._waiting:
            for slot in sorted(idle, key=lambda slot: slot.keeps)[: len(ready) - 1]:
                if now - slot.used > IDLE_SECONDS and not slot.keeps:
                    workers.release(slot)

    def _refuse_if_hopeless(self, seconds: float) -> None:
        machines, reservation = alive_machines(), self._workers.reservation
        if any(slot.node is not None for slot in self._workers.slots):
            # They have their places; what takes time is the import of the libraries on a busy machine.
            if seconds > max(IMPORT_SECONDS, self._options.wait):
                raise UsageError(
                    f"no machine of the Ray cluster had imported the workers' libraries within {seconds:.0f} s: see the"
                    " logs of its actors (`ray logs`)"
                )
        elif any(reservation.places(machine) for machine in machines):
            if seconds > max(START_SECONDS, self._options.wait):
                raise UsageError(
                    f"the Ray cluster gave no worker within {seconds:.0f} s: each needs {reservation}, and others use"
                    " them (`ray status` shows by whom)"
                )
        elif seconds >= self._options.wait:
            largest = max((machine.get("CPU", 0.0) for machine in machines), default=0.0)
            raise UsageError(
                f"no machine of the Ray cluster has room for a worker, which needs {reservation}; the largest has"
                f" {largest:g} CPUs (ray[cpus=...,gpus=...,memory=...] says what a worker needs)"
            )
