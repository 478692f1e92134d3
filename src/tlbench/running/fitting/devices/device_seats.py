"""What each process of a fit on several devices is told: its number, its GPU and where it meets the others."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

GROUP = "TLBENCH_DEVICE_GROUP"
"""Environment variable of the processes of a fit on several devices: a `DeviceSeat` as JSON."""
FITTING = ("search", "final")
"""The purposes of orders that all processes carry out; the others are the first one's alone."""
_GPUS = "CUDA_VISIBLE_DEVICES"


class DeviceSeat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The place of a process among those that run a fit together."""

    rank: int = 0
    size: int = 1
    meeting: str = ""
    """File on this machine by which the processes find each other; it must not exist before."""


def environment_of(seat: DeviceSeat, environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment of a process, which sees one of the worker's GPUs.

    Args:
        seat: The place of the process.
        environment: The variables of the worker, with all of its GPUs.
    """
    found = dict(environment)
    if gpus := [gpu for gpu in found.get(_GPUS, "").split(",") if gpu]:
        found[_GPUS] = gpus[min(seat.rank, len(gpus) - 1)]
    if seat.size > 1:
        found[GROUP] = msgspec.json.encode(seat).decode()
    return found
