"""The actors on the machines of the cluster: one that reserves resources for a worker, one for each machine's workers.

A machine imports the libraries once, in a process that forks a worker for each cell (on a GPU, for each backbone), as
the executor `isolated` does. Importing this module imports neither ray nor torch.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil

from tlbench import FitOrder, UsageError, WorkerLost
from tlbench.running.executors import order_files
from tlbench.running.executors.slot_processes import SlotProcesses
from tlbench.system.machine import gpu_multiplies_bf16
from tlbench.system.processor import multiplies_bf16
from tlbench_ray.node_facts import facts_here

FOLDER = "tlbench-ray-"
"""Beginning of the names of temporary folders on machines; the pid follows."""


class NodeAnswer(msgspec.Struct, frozen=True):
    """What a machine sends back for an order: the JSON of the result, or how the worker was lost."""

    result: bytes = b""
    files: dict[str, bytes] | None = None
    """The files that the worker wrote; None if they lie in the folder of the results."""
    how: str = ""
    oom: bool = False


class NodePlace(msgspec.Struct, frozen=True):
    """Where Ray has placed a reservation."""

    node: str
    gpus: tuple[str, ...]
    bf16: bool
    """Whether the device has bf16 arithmetic in hardware."""


class WorkerReservation:
    """Reserves the resources of one worker as long as it lives; the worker itself is a process of `NodeWorkers`."""

    def place(self) -> bytes:
        """Returns where this actor runs, and which GPUs it has, as JSON."""
        import ray

        context = ray.get_runtime_context()
        gpus = tuple(str(gpu) for gpu in context.get_accelerator_ids().get("GPU", ()))
        bf16 = gpu_multiplies_bf16() if gpus else multiplies_bf16()
        return msgspec.json.encode(NodePlace(context.get_node_id(), gpus, bf16))

    async def hold(self) -> None:
        """Never returns: its failure tells the driver that the reservation is lost."""
        await asyncio.Event().wait()


class NodeWorkers:
    """The workers of one machine for one run."""

    def __init__(self, log: str, cores: int, environment: dict[str, str], folder: str, path: list[str]) -> None:
        """Starts the imports.

        Args:
            log: The log of the workers of this machine, if its folder exists here; else they have a temporary one.
            cores: The number of CPU threads of each worker.
            environment: Environment variables of the workers.
            folder: The working directory, if it exists here; empty to keep the present one.
            path: The driver's sys.path, for plugins that are not installed; folders that don't exist here are left out.
        """
        sys.path += [entry for entry in path if entry not in sys.path and os.path.exists(entry)]
        if folder and os.path.isdir(folder):
            os.chdir(folder)
        self._own = _own_folder()
        beside = Path(log).with_name(f"{Path(log).stem}-{socket.gethostname()}{Path(log).suffix}")
        self._log = beside if beside.parent.is_dir() and os.access(beside.parent, os.W_OK) else self._own / beside.name
        self._cores, self._environment = cores, environment
        self._processes: SlotProcesses | None = None
        self._running: dict[int, tuple[str, asyncio.Future[bytes | WorkerLost]]] = {}

    async def describe(self, probe: str, content: str) -> bytes:
        """Returns what the driver has to know about this machine, as JSON.

        Args:
            probe: A file beside the results, which the driver has just written.
            content: What the driver wrote there.
        """
        fault, sees = "", False
        try:
            self._started().await_imports()
        except UsageError as error:
            fault = str(error)
        with suppress(OSError):
            sees = Path(probe).read_text(encoding="ascii") == content
        return msgspec.json.encode(facts_here(self._environment, sees, str(self._log), fault))

    async def carry_out(
        self, token: str, slot: int, request: bytes, environment: Mapping[str, str], files: dict[str, bytes] | None
    ) -> NodeAnswer:
        """Carries out an order and returns its result.

        Args:
            token: Names this attempt at the order.
            slot: The slot of the worker.
            request: The order, as JSON.
            environment: Variables of a new worker, such as the GPU that it sees.
            files: What the order reads in its folder; None if that folder exists here.
        """
        order = msgspec.json.decode(request, type=FitOrder)
        scratch = self._scratch(order, token, files)
        try:
            outcome = await self._outcome(token, slot, order, scratch, environment)
            if isinstance(outcome, WorkerLost):
                return NodeAnswer(how=str(outcome), oom=outcome.oom)
            made = order_files.all_files(scratch) if scratch is not None and files is not None else None
            return NodeAnswer(outcome, made)
        finally:
            if files is not None and scratch is not None:
                shutil.rmtree(scratch, ignore_errors=True)

    async def cancel(self, token: str) -> None:
        """Kills the worker of an order, its process group and the processes that it started."""
        for slot, (other, _) in self._running.items():
            if other == token and self._processes is not None:
                self._processes.kill(slot)

    async def leave(self, slot: int) -> None:
        """Ends the worker of a slot that is given up."""
        if self._processes is not None:
            self._processes.end(slot)

    def _scratch(self, order: FitOrder, token: str, files: dict[str, bytes] | None) -> Path | None:
        """Returns the worker's own folder with what the order reads; None for an order without a folder."""
        if not order.folder:
            return None
        if files is not None:
            scratch = self._own / token
            order_files.write_files(scratch, files)
            return scratch
        scratch, folder = order_files.worker_folder(order, token), Path(order.folder)
        order_files.link_files(folder, scratch, order_files.read_names(order, folder))
        return scratch

    async def _outcome(
        self, token: str, slot: int, order: FitOrder, scratch: Path | None, environment: Mapping[str, str]
    ) -> bytes | WorkerLost:
        future: asyncio.Future[bytes | WorkerLost] = asyncio.get_running_loop().create_future()
        self._running[slot] = (token, future)
        try:
            if scratch is not None:
                order = msgspec.structs.replace(order, folder=str(scratch))
            self._started().submit(slot, order, environment)
            return await future
        finally:
            del self._running[slot]

    def _started(self) -> SlotProcesses:
        if self._processes is None:
            self._processes = SlotProcesses(str(self._log), self._cores, self._environment)
            asyncio.get_running_loop().add_reader(self._processes.fileno(), self._on_events)
        return self._processes

    def _on_events(self) -> None:
        assert self._processes is not None
        for slot, event in self._processes.take_events(0.0):
            if slot in self._running and not (future := self._running[slot][1]).done():
                future.set_result(event)


def _own_folder() -> Path:
    """Returns a new temporary folder, and removes those of earlier actors, which were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        pid = path.name.removeprefix(FOLDER).partition("-")[0]
        if pid.isdigit() and not path.is_symlink() and not psutil.pid_exists(int(pid)):
            # Those of other users cannot be removed.
            shutil.rmtree(path, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-"))


def ray_options(reservation: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options of actors that Ray never restarts by itself: attempts are counted by the run."""
    return {"max_restarts": 0, "max_task_retries": 0, **reservation}
