"""Compares estimates with a memory limit: which cells are skipped as too large, and how many workers fit at once."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from tlbench.catalog.catalog import Catalog, Found
from tlbench.contracts.backbone import Backbone
from tlbench.contracts.cell import Cell
from tlbench.contracts.outputs import Output
from tlbench.contracts.resources import Resources, larger
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Task
from tlbench.modeling.disk.cache_settings import size_text

WORKER_BYTES = 1 << 30
"""Memory of a worker before a fit begins, 1 GiB: the interpreter, the libraries and the examples."""


@dataclass(frozen=True)
class Room:
    """The memory that one worker may use."""

    bytes: int
    host: bool = True
    """Whether this is the machine's main memory; False for the memory of a GPU."""
    devices: int = 1
    """Number of devices of each fit, which on a CPU are processes that share the main memory."""


def fit_bytes(resources: Resources, host: bool) -> int | None:
    """Returns the main memory (`host`) or GPU memory that a fit adds to a new worker, in bytes; None if unknown."""
    if resources.memory_bytes is None:
        return None
    return resources.memory_bytes + (resources.host_bytes + resources.cpu_bytes if host else 0)


def needed_bytes(resources: Resources, host: bool) -> int | None:
    """Returns the main memory (`host`) or GPU memory that a worker needs for a fit, in bytes; None if unknown."""
    needed = fit_bytes(resources, host)
    return needed + WORKER_BYTES if needed is not None and host else needed


def devices_of(strategy: str, catalog: Catalog, devices: int) -> int:
    """Returns how many of the devices of a worker the fits of a strategy use: all or one."""
    if devices == 1:
        return 1
    with suppress(Exception):  # not installed any more, or a plugin's mistake, which the plan reports
        return devices if catalog.strategy(strategy).item.why_one_device is None else 1
    return 1


def workers_in(room: Room, cells: Iterable[Cell], catalog: Catalog) -> int | None:
    """Returns the number of workers that fit in memory if each ran the largest fit of the cells; None for no limit."""
    if not room.host:
        # A GPU has one worker, and the plan has skipped what is too large for it.
        return None
    sizes, largest = Sizes(catalog), 0
    for backbone, task, strategy in {(cell.backbone, cell.task, cell.strategy) for cell in cells}:
        if backbone is not None:
            with suppress(Exception):  # a plugin's mistake, which the plan has reported as a skip
                items = catalog.backbone(backbone.name), catalog.task(task.name), catalog.strategy(strategy.name)
                processes = devices_of(strategy.name, catalog, room.devices)
                needed = needed_bytes(sizes.of(*items).on(processes), host=True)
                largest = max(largest, processes * (needed or 0))
    # At least one: what the plan did not skip is run.
    return max(1, room.bytes // largest) if largest else None


class Sizes:
    """A cache of the resources of fits, shared by all tasks for which they are the same."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._resources: dict[tuple[str, str, str | bool], Resources] = {}

    def of(self, backbone: Found[Backbone], task: Found[Task], strategy: Found[Strategy]) -> Resources:
        """Returns the resources that a fit of the strategy needs; the first call may be slow, as it may read files.

        Raises:
            Exception: A plugin's `card`, `trainable` or `resources` raised.
        """
        # The default estimate depends on the task only by the input of its head; an override may depend on all of it.
        overridden = type(strategy.item).resources is not Strategy.resources or bool(strategy.item.needs())
        overridden |= type(task.item.output).head_size is not Output.head_size
        key = (backbone.ref.name, strategy.ref.name, task.ref.name if overridden else task.item.output.reads)
        if key not in self._resources:
            self._resources[key] = resources_of(backbone.item, task.item, strategy.item, self._catalog)
        return self._resources[key]


def resources_of(backbone: Backbone | None, task: Task, strategy: Strategy, catalog: Catalog) -> Resources:
    """Returns the resources that a fit needs, for its training or for what it does with a needed backbone before.

    Raises:
        UsageError: A needed backbone is not installed.
        Exception: A plugin's `card`, `trainable`, `needs` or `resources` raised.
    """
    needed = strategy.resources(backbone, task)
    for need in strategy.needs() if backbone else ():
        kind, _, name = need.partition(":")
        if backbone is None or kind != "backbone":
            continue
        before = strategy.resources_of_need(need, catalog.backbone(name).item, task)
        # The fit's own backbone is loaded all the while.
        before = replace(
            before.with_another_network(backbone.card()),
            host_bytes=before.host_bytes + needed.host_bytes,
            reason=f"{name}, {before.reason}" if before.reason else name,
        )
        needed = larger(needed, before)
    return needed


def too_large(resources: Resources, room: Room, devices: int = 1) -> str | None:
    """Returns why a fit does not fit in memory, or None if it does or its size is unknown.

    Args:
        resources: What a fit needs on one device.
        room: The memory.
        devices: The number of devices that the fit uses, each with a copy of the weights and gradients.
    """
    if resources.devices > devices:
        return f"needs {resources.devices} devices: give --devices {resources.devices}"
    needed = needed_bytes(resources.on(devices), room.host)
    if needed is not None and room.host:
        needed *= devices
    # A wrong skip would hide a result, so a fit of unknown size is tried.
    if needed is None or needed <= room.bytes:
        return None
    several = f" for {devices} processes" if room.host and devices > 1 else ""
    reason = f"needs about {size_text(needed)}{several} of {size_text(room.bytes)}"
    return f"{reason}: {resources.reason}" if resources.reason else reason
