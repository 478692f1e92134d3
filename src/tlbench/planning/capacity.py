"""Whether a fit would find room, before anything is loaded, and how many of them at once."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from tlbench.catalog.catalog import Catalog, Found
from tlbench.contracts.backbone import Backbone
from tlbench.contracts.cell import Cell
from tlbench.contracts.resources import Resources
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Task
from tlbench.modeling.disk.cache_settings import size_text

WORKER_BYTES = 1 << 30
"""What a worker takes of the machine's own memory before a fit begins: interpreter, libraries, examples."""


@dataclass(frozen=True)
class Room:
    """How much memory one worker may take."""

    bytes: int
    host: bool = True
    """Whether it is the machine's own memory and not a GPU's."""


def needed_bytes(resources: Resources, host: bool) -> int | None:
    """Returns what a worker takes for such a fit, of the machine's own memory or a GPU's; None where unknown."""
    if resources.memory_bytes is None:
        return None
    return resources.memory_bytes + (WORKER_BYTES + resources.host_bytes + resources.cpu_bytes if host else 0)


def workers_in(room: Room, cells: Iterable[Cell], catalog: Catalog) -> int | None:
    """Returns how many workers find room side by side, whichever fits of these cells they meet; None for any number.

    A GPU has one worker, which the plan has found room for.
    """
    if not room.host:
        return None
    sizes, largest = Sizes(), 0
    for backbone, task, strategy in {(cell.backbone, cell.task, cell.strategy) for cell in cells}:
        if backbone is not None:
            with suppress(Exception):  # a plugin's mistake, which the plan has told
                found = catalog.backbone(backbone.name), catalog.task(task.name), catalog.strategy(strategy.name)
                largest = max(largest, needed_bytes(sizes.of(*found), host=True) or 0)
    return max(1, room.bytes // largest) if largest else None


class Sizes:
    """What fits ask of the machine, looked up once for all tasks between which it does not differ."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str | bool], Resources] = {}

    def of(self, backbone: Found[Backbone], task: Found[Task], strategy: Found[Strategy]) -> Resources:
        """Returns what a strategy says that a fit takes; a card may be read from files, which takes a while."""
        own = type(strategy.item).resources is not Strategy.resources
        key = (backbone.ref.name, strategy.ref.name, task.ref.name if own else task.item.output.reads)
        if key not in self._known:
            self._known[key] = strategy.item.resources(backbone.item, task.item)
        return self._known[key]


def too_large(resources: Resources, room: Room) -> str | None:
    """Returns why such a fit finds no room, or None if it does or nobody knows."""
    needed = needed_bytes(resources, room.host)
    if needed is None or needed <= room.bytes:
        return None
    reason = f"needs about {size_text(needed)} of {size_text(room.bytes)}"
    return f"{reason}: {resources.reason}" if resources.reason else reason
