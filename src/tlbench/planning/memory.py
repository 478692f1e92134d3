"""Whether a fit would find room, before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from tlbench.contracts.memory import Resources
from tlbench.modeling.disk.settings import size_text

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
    return resources.memory_bytes + (WORKER_BYTES + resources.host_bytes if host else 0)


def too_large(resources: Resources, room: Room) -> str | None:
    """Returns why such a fit finds no room, or None if it does or nobody knows."""
    needed = needed_bytes(resources, room.host)
    if needed is None or needed <= room.bytes:
        return None
    reason = f"needs about {size_text(needed)} of {size_text(room.bytes)}"
    return f"{reason}: {resources.reason}" if resources.reason else reason
