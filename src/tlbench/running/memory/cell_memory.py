"""The memory of a cell: how much of a worker's memory is its cell's own, and the peak of several workers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from tlbench.contracts.executor import FitOrder
from tlbench.contracts.record import Memory
from tlbench.system.measure import ResourceUsage
from tlbench.system.process_memory import read_memory


class CellMemory:
    """Computes the own memory of a worker's cell, as the difference from the worker's memory when it started."""

    def __init__(self, isolated: bool) -> None:
        """Takes the first reading; create it before anything is loaded.

        Args:
            isolated: Whether this is a dedicated worker process. In another process it is not known which memory is
                the cell's.
        """
        self._start = read_memory() if isolated else None
        self._cell = ""
        self._serves_one = True

    def of_order(self, order: FitOrder, usage: ResourceUsage, kept_bytes: int) -> Memory:
        """Returns the memory that carrying out an order took.

        Args:
            order: The order, after it was carried out.
            usage: The resources measured while it was carried out.
            kept_bytes: The memory that was already in use for the best predictor of earlier trials.
        """
        memory, start = usage.memory, self._start
        if start is None:
            return memory
        # On a GPU and with some executors a worker serves several cells. Then memory that the first cell left in use
        # cannot be told from memory that the second one needs.
        self._serves_one = self._serves_one and self._cell in {"", order.cell.id}
        self._cell = order.cell.id
        own = None
        if (
            usage.own_peak_bytes is not None
            and self._serves_one
            and order.device == "cpu"
            and order.purpose not in ("score", "time")
        ):
            own = max(0, usage.own_peak_bytes - start.own - kept_bytes)
        return msgspec.structs.replace(memory, host_baseline_bytes=start.resident, host_own_bytes=own)


def peak_memory(memories: Sequence[Memory]) -> Memory:
    """Returns the highest memory use of several processes, field by field.

    Baseline and peak of the host's memory are those of the process with the largest difference between them, so that
    they always belong together.
    """
    host = max(memories, key=_added)
    return Memory(
        host.host_baseline_bytes,
        host.host_peak_bytes,
        _highest(memory.device_allocated_bytes for memory in memories),
        _highest(memory.device_reserved_bytes for memory in memories),
        _highest(memory.host_own_bytes for memory in memories),
    )


def _added(memory: Memory) -> int:
    """Returns the bytes of host memory beyond the baseline; -1 if they were not measured."""
    # Unmeasured memory ranks below that of a process that needed nothing beyond its baseline.
    if memory.host_peak_bytes is None:
        return -1
    return max(0, memory.host_peak_bytes - (memory.host_baseline_bytes or 0))


def _highest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)
