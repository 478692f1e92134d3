"""The workers of a run on the cluster: reservations that Ray places, and the machines on which they are.

Everything that Ray reports comes through one queue, so that waiting costs the same for two workers and for thousands.
Importing this imports no ray.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tlbench import UsageError, WorkerLost
from tlbench.running.executors.worker_slots import WorkerSlot
from tlbench_ray.node_actors import NodePlace, NodeWorkers, WorkerReservation, ray_options
from tlbench_ray.node_facts import NodeFacts, fault_of, installed_versions
from tlbench_ray.order_handle import OrderHandle
from tlbench_ray.reservation import Reservation

_log = logging.getLogger(__name__)
Event = Callable[[], None]


@dataclass(frozen=True)
class NodeSettings:
    """The settings that the actors on every machine get."""

    log: str
    cores: int
    environment: dict[str, str]
    folder: str
    working_dir: str
    probe: str
    content: str


@dataclass(eq=False)
class Node:
    """A machine of the cluster with at least one worker of this run."""

    id: str
    actor: Any
    facts: NodeFacts | None = None
    """What it has said about itself; None until it has."""
    slots: set[ClusterSlot] = field(default_factory=set)


@dataclass(eq=False)
class ClusterSlot(WorkerSlot[OrderHandle]):
    """A worker's reservation on the cluster."""

    actor: Any = None
    node: Node | None = None
    """The machine; None until Ray has placed the reservation."""
    place: NodePlace | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it can take orders."""
        return self.node is not None and self.node.facts is not None


class ClusterWorkers:
    """Reserves workers on the cluster and keeps track of the machines that join and leave."""

    def __init__(self, reservation: Reservation, settings: NodeSettings) -> None:
        self.reservation, self._settings = reservation, settings
        self.slots: list[ClusterSlot] = []
        self._nodes: dict[str, Node] = {}
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._versions = installed_versions()
        self._count = 0
        self._closed = False

    @property
    def ready(self) -> list[ClusterSlot]:
        """The workers that can take orders."""
        return [slot for slot in self.slots if slot.is_ready]

    @property
    def facts(self) -> list[NodeFacts]:
        """The machines that are ready."""
        return [node.facts for node in self._nodes.values() if node.facts is not None]

    def reserve(self, count: int) -> None:
        """Makes the number of reservations at least `count`; Ray places them as resources become free."""
        import ray

        while len(self.slots) < count:
            slot = ClusterSlot(self._count)
            self._count += 1
            actor = ray.remote(WorkerReservation).options(**ray_options(self.reservation.options))
            slot.actor = actor.remote()
            self.slots.append(slot)
            self.follow(slot.actor.place.remote(), lambda value, error, slot=slot: self._on_placed(slot, value, error))

    def release(self, slot: ClusterSlot) -> None:
        """Gives a reservation back to the cluster, with its idle worker."""
        self._forget(slot)
        if slot.node is not None:
            slot.node.actor.leave.remote(slot.number)
        _kill(slot.actor)

    def drop_node(self, node: Node, lost: WorkerLost) -> None:
        """Gives up a machine: its orders are lost, and late answers to them are refused."""
        if self._nodes.pop(node.id, None) is None:
            return
        _log.warning("the machine %s is lost: it %s", node.facts.host if node.facts else node.id, lost)
        for slot in list(node.slots):
            self._lose(slot, lost)
            _kill(slot.actor)
        _kill(node.actor)

    def follow(self, ref: Any, then: Callable[[Any, BaseException | None], None]) -> None:
        """Has `take_events` call a function with the value of an object, or with the error that it has instead."""

        def done(future: Any) -> None:
            error = future.exception()
            value = None if error is not None else future.result()
            self._events.put(lambda: then(value, error))

        # Called in a thread of Ray's.
        ref.future().add_done_callback(done)

    def take_events(self, timeout: float) -> None:
        """Waits for the first event, at most so many seconds, and handles all that are there.

        Raises:
            UsageError: A machine cannot take part in the run.
        """
        try:
            event = self._events.get(timeout=timeout) if timeout > 0 else self._events.get_nowait()
            while True:
                event()
                event = self._events.get_nowait()
        except queue.Empty:
            return

    def close(self) -> None:
        """Ends all actors, and with them their workers."""
        self._closed = True
        for slot in self.slots:
            if slot.handle is not None:
                slot.handle.lose(WorkerLost("was ended with the run"))
            _kill(slot.actor)
        for node in self._nodes.values():
            _kill(node.actor)

    def _on_placed(self, slot: ClusterSlot, value: bytes | None, error: BaseException | None) -> None:
        if slot not in self.slots:
            return
        if value is None:
            self._lose(slot, WorkerLost(f"had no place: {one_line(error)}"))
            return
        slot.place = place = msgspec.json.decode(value, type=NodePlace)
        node = slot.node = self._node(place.node)
        node.slots.add(slot)
        self.follow(slot.actor.hold.remote(), lambda value, error: self._on_unreserved(slot, error))

    def _on_unreserved(self, slot: ClusterSlot, error: BaseException | None) -> None:
        if slot not in self.slots or self._closed:
            return
        node, handle = slot.node, slot.handle
        if node is not None and handle is not None:
            node.actor.cancel.remote(handle.token)
        self._lose(slot, lost_by(error))

    def _lose(self, slot: ClusterSlot, lost: WorkerLost) -> None:
        self._forget(slot)
        if (handle := slot.free(None)) is not None:
            handle.lose(lost)

    def _forget(self, slot: ClusterSlot) -> None:
        if slot in self.slots:
            self.slots.remove(slot)
        if slot.node is not None:
            slot.node.slots.discard(slot)

    def _node(self, id: str) -> Node:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        if id in self._nodes:
            return self._nodes[id]
        settings = self._settings
        options = ray_options({"num_cpus": 0, "scheduling_strategy": NodeAffinitySchedulingStrategy(id, soft=False)})
        if settings.working_dir:
            options["runtime_env"] = {"working_dir": settings.working_dir}
        actor = ray.remote(NodeWorkers).options(**options)
        folder = "" if settings.working_dir else settings.folder
        path = [entry for entry in sys.path if os.path.isabs(entry)]
        started = actor.remote(settings.log, settings.cores, settings.environment, folder, path)
        node = self._nodes[id] = Node(id, started)
        described = started.describe.remote(settings.probe, settings.content)
        self.follow(described, lambda value, error: self._on_described(node, value, error))
        return node

    def _on_described(self, node: Node, value: bytes | None, error: BaseException | None) -> None:
        if self._nodes.get(node.id) is not node:
            return
        if value is None:
            text = one_line(error)
            if "ModuleNotFoundError" in text or "No module named" in text:
                raise UsageError(
                    f"a machine of the Ray cluster cannot start workers: {text}; install tlbench-ray there"
                )
            self.drop_node(node, lost_by(error))
            return
        facts = msgspec.json.decode(value, type=NodeFacts)
        if fault := fault_of(facts, self._versions):
            raise UsageError(fault)
        node.facts = facts
        _log.info("the machine %s has joined; the log of its workers is %s", facts.host, facts.log)
        now = time.monotonic()
        for slot in node.slots:
            slot.used = now


def alive_machines() -> list[dict[str, float]]:
    """Returns the resources of each machine of the cluster that is alive.

    Raises:
        UsageError: The cluster does not answer.
    """
    import ray

    try:
        return [node["Resources"] for node in ray.nodes() if node["Alive"]]
    except Exception as error:
        # All that is finished is on this machine's disk.
        raise UsageError(f"the Ray cluster is gone ({one_line(error)}): the same command does the rest") from None


def lost_by(error: BaseException | None) -> WorkerLost:
    """Returns how a worker was lost, from the error that Ray reports."""
    import ray.exceptions

    text = one_line(error)
    oom = isinstance(error, ray.exceptions.OutOfMemoryError) or "OutOfMemory" in text or "memory pressure" in text
    if oom:
        return WorkerLost("was killed by Ray because its machine ran out of memory", oom=True)
    return WorkerLost(f"was lost with its machine ({text})")


def one_line(error: BaseException | None) -> str:
    """Returns an error as one short line."""
    if error is None:
        return "it ended"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Ray's message is a traceback of the remote process, whose last line names the error.
    told = lines[-1] if lines and "Traceback" in str(error) else " ".join(lines[:2])
    return f"{type(error).__name__}: {told}"[:300]


def _kill(actor: Any) -> None:
    import ray

    try:
        ray.kill(actor, no_restart=True)
    except Exception as error:  # it is dead, or the cluster is gone
        _log.debug("an actor could not be killed: %s", error)
