"""Connects the processes of a fit on several devices of one machine."""

from __future__ import annotations

import os
import sys
from datetime import timedelta

import msgspec
import torch

from tlbench.contracts.errors import UsageError
from tlbench.contracts.executor import FitOrder
from tlbench.modeling.devices.device_group import ALONE, DeviceGroup
from tlbench.running.fitting.devices.device_seats import FITTING, GROUP, DeviceSeat

SILENT_MINUTES = 30
"""Time after which a process that waits for the others ends, where no time limit has ended the fit before."""
_joined: DeviceGroup | None = None


def seat_here() -> DeviceSeat:
    """Returns which process of a group this one is; the first of one where there is no group."""
    text = os.environ.get(GROUP)
    return msgspec.json.decode(text, type=DeviceSeat) if text else DeviceSeat()


def group_for(order: FitOrder, device: torch.device) -> DeviceGroup:
    """Returns the processes that carry an order out together; the first call waits until all of them are there.

    Raises:
        UsageError: The order is for several devices, and this process is not one of so many.
    """
    global _joined
    if order.devices == 1 or order.purpose not in FITTING:
        return ALONE
    seat = seat_here()
    if seat.size != order.devices:
        raise UsageError(f"an order for {order.devices} devices came to a process that has {seat.size}")
    if _joined is None:
        import torch.distributed as dist

        if sys.platform == "linux":
            # All processes are on this machine, so nothing listens on its network.
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        # A few numbers are exchanged on the host, so that no GPU has to be waited for.
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(
            backend,
            init_method=f"file://{seat.meeting}",
            rank=seat.rank,
            world_size=seat.size,
            timeout=timedelta(minutes=SILENT_MINUTES),
        )
        _joined = DeviceGroup(seat.rank, seat.size)
    _joined.first_has_failed = False
    return _joined
