"""The entry point of a worker process."""

from __future__ import annotations

import msgspec

from tlbench.contracts.executor import FitOrder, OrderResult
from tlbench.running.fitting.devices.joining import seat_here
from tlbench.running.fitting.libraries import silence_warnings
from tlbench.running.fitting.peers.peer_worker import PeerWorker
from tlbench.running.fitting.worker import Worker
from tlbench.running.monitoring.run_log import RUN_VARIABLE, log_as_worker

_worker: Worker | None = None
"""The worker of this process, which keeps models and data between orders; None before the first order."""


def answer(request: bytes) -> bytes:
    """Carries out an order in a worker process; order and result are JSON."""
    result = carry_out(msgspec.json.decode(request, type=FitOrder), isolated=True)
    # Of the processes of several devices the first one answers; the others do if they alone have failed.
    is_silent = seat_here().rank and not result.results and not result.error
    return b"" if is_silent else msgspec.json.encode(result)


def carry_out(order: FitOrder, isolated: bool = False) -> OrderResult:
    """Carries out an order.

    Args:
        order: The order.
        isolated: Whether this is a dedicated worker process, which Ctrl-C does not reach and another may replace.
    """
    global _worker
    if _worker is None:
        silence_warnings()
        if isolated:
            log_as_worker(order.environment.get(RUN_VARIABLE, ""))
        _worker = PeerWorker(isolated) if isolated and seat_here().rank else Worker(isolated)
    return _worker.carry_out(order)
