"""An order that a worker is carrying out, and the progress of its cell as a short text."""

from __future__ import annotations

from dataclasses import dataclass

from tlbench.contracts.executor import FitOrder


@dataclass(frozen=True)
class OrderProgress:
    """An order that a worker is carrying out."""

    order: FitOrder
    worker: int
    """Number of the worker, from 1; orders that are carried out at the same time have different numbers."""
    seconds: float
    """Time in seconds since the order was submitted."""

    @property
    def phase(self) -> str:
        """The progress of the order's cell as a short text, such as `trial 3/20`."""
        order, protocol = self.order, self.order.cell.protocol
        if order.purpose == "score":
            return "scoring"
        if order.purpose == "final":
            seeds = [protocol.seeds.index(fit.seed) + 1 for fit in order.fits if fit.seed in protocol.seeds]
            return f"{_numbers('seed', seeds)}/{len(protocol.seeds)}"
        # A grid may have fewer params than the protocol allows trials.
        total = "" if protocol.sampler == "grid" else f"/{protocol.trials}"
        part = order.fits[0].stop_part if order.fits else None
        return _numbers("trial", [fit.trial + 1 for fit in order.fits]) + total + (f" (1/{part})" if part else "")


def _numbers(name: str, numbers: list[int]) -> str:
    if len(numbers) < 2:
        return f"{name} {numbers[0] if numbers else '?'}"
    return f"{name}s {min(numbers)}-{max(numbers)}"
