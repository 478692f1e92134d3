"""A model of a run: one driver that serves all workers, each of which fits and waits for its next order.

Fed with what one worker costs, it says what several take. It is believed only after its predictions were compared with
runs.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass


@dataclass(frozen=True)
class Costs:
    """What a fit costs, measured with one worker."""

    driver_ms: float
    """Time of the driver for each fit: choosing it, submitting it, taking in its result."""
    worker_ms: float
    """What the order takes on its way, and in the worker, beyond the fit's own work."""


def predicted_seconds(costs: Costs, fits: int, workers: int, milliseconds: float) -> float:
    """Returns the seconds that a run takes once its workers have started.

    Args:
        costs: What a fit costs.
        fits: The number of fits.
        workers: The number of workers.
        milliseconds: The own work of each fit.
    """
    # The driver is a queue with one server: it serves workers in the order in which they became free.
    free, driver, ended = [0.0] * min(workers, fits), 0.0, 0.0
    for _ in range(fits):
        driver = max(driver, heapq.heappop(free)) + costs.driver_ms
        ended = driver + costs.worker_ms + milliseconds
        heapq.heappush(free, ended)
    return max(free) / 1000


def predicted_efficiency(costs: Costs, fits: int, workers: int, milliseconds: float) -> float:
    """Returns the share of the workers' time that is the fits' own work."""
    seconds = predicted_seconds(costs, fits, workers, milliseconds)
    return fits * milliseconds / (1000 * seconds * workers)


def most_workers(costs: Costs, milliseconds: float) -> int:
    """Returns the number of workers that one driver can keep busy."""
    return max(1, int((costs.driver_ms + costs.worker_ms + milliseconds) / costs.driver_ms))
