"""The entry point of a worker process."""

from __future__ import annotations

import msgspec

from tlbench.contracts.executor import FitOrder, OrderResult
from tlbench.running.fitting.libraries import hush
from tlbench.running.fitting.worker import Worker

_worker: Worker | None = None
"""What this process keeps between orders."""


def answer(request: bytes) -> bytes:
    """Returns the answer to an order, both as JSON, in a process that is a worker and nothing else."""
    return msgspec.json.encode(carry_out(msgspec.json.decode(request, type=FitOrder), isolated=True))


def carry_out(order: FitOrder, isolated: bool = False) -> OrderResult:
    """Returns the answer to an order; `isolated` where no Ctrl-C reaches the process and another may replace it."""
    global _worker
    if _worker is None:
        hush()
        _worker = Worker(isolated)
    return _worker.carry_out(order)
