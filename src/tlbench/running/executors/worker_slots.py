"""Places for workers, and the choice of the place that carries out an order: on one machine or on several."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tlbench.contracts.executor import FitOrder, Handle, OrderResult

H = TypeVar("H", bound=Handle)


@dataclass(eq=False)
class WorkerSlot(Generic[H]):
    """A place for one worker, and the state of the worker that is there."""

    number: int
    key: str | None = None
    """What the worker serves, as of `key_of`; None if there is no worker."""
    worker: str = ""
    """The worker's own name, which `FitOrder.worker` refers to; empty until the worker has returned a result."""
    keeps: bool = False
    """Whether the worker has the predictor of its last fit, the best trial so far, in memory."""
    handle: H | None = None
    """Handle of the order that the worker is carrying out; None while the worker is idle."""
    used: float = field(default_factory=time.monotonic)
    """Time (of `time.monotonic`) at which the worker last received an order."""

    def take(self, order: FitOrder, handle: H) -> None:
        """Marks the slot as busy with an order."""
        if (key := key_of(order)) != self.key:
            self.empty()
        self.key, self.handle, self.used = key, handle, time.monotonic()

    def free(self, answer: OrderResult | None) -> H | None:
        """Marks the slot as idle after a result, or as empty after its worker was lost; returns the order's handle."""
        handle, self.handle = self.handle, None
        if answer is None:
            self.empty()
        else:
            self.worker, self.keeps = answer.worker, answer.keeps
        return handle

    def empty(self) -> None:
        """Marks the slot as one without a worker."""
        self.key, self.worker, self.keeps = None, "", False


def key_of(order: FitOrder) -> str:
    """Returns what the worker of an order serves: on a CPU one cell, on a GPU one backbone (empty without one).

    On a CPU, cells therefore cannot affect each other. A worker with several devices has a process for each.
    """
    several = f" on {order.devices} devices" if order.devices > 1 else ""
    if order.device == "cpu":
        return order.cell.id + several
    return (order.cell.backbone.name if order.cell.backbone else "") + several


def choose_slot(slots: Sequence[WorkerSlot[H]], order: FitOrder) -> WorkerSlot[H] | None:
    """Returns the idle slot that is best for an order, or None if all are busy.

    Best is a worker that serves what the order needs, then a slot without a worker, then one whose worker is replaced.
    """
    idle = [slot for slot in slots if slot.handle is None]
    key = key_of(order)
    if matching := [slot for slot in idle if slot.key == key]:
        # The worker that holds the winner's predictor; else one without any, so that none is overwritten.
        return min(matching, key=lambda slot: (slot.worker != order.worker, slot.keeps, slot.used))
    # What is replaced is a worker that holds no predictor, and of these the one that has been idle longest.
    return min(idle, key=lambda slot: (slot.key is not None, slot.keeps, slot.used), default=None)
