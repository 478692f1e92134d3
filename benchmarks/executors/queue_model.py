"""A model of a run: one driver that serves all workers, cores that all processes share, and fits that sleep.

Fed with what one worker costs, it says what several take. It is believed only after its predictions were compared with
runs.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Costs:
    """What a fit costs, measured with one worker."""

    driver_ms: float
    """Time of the driver for each fit: choosing it, submitting it, taking in its result."""
    worker_ms: float
    """What the order takes on its way, and in the worker, beyond the fit's own work."""
    worker_cpu_ms: float = 0.0
    """The part of it in which a core computes; the rest is waiting, of which any number fit beside each other."""
    cores: float = float("inf")
    """Cores that the run has for all of its workers together."""


def predicted_seconds(costs: Costs, fits: int, workers: int, milliseconds: float) -> float:
    """Returns the seconds that a run takes once its workers have started.

    Each fit passes three places: the driver, which serves one worker at a time; the cores, which serve as many as there
    are; and what only takes time. The first two serve workers in the order in which they come.

    Args:
        costs: What a fit costs.
        fits: The number of fits.
        workers: The number of workers.
        milliseconds: The own work of each fit, in which no core computes.
    """
    # A part of a core makes all of them slower.
    whole = math.ceil(min(costs.cores, workers))
    busy_ms = costs.worker_cpu_ms * max(1.0, whole / costs.cores)
    waits_ms = max(0.0, costs.worker_ms - costs.worker_cpu_ms) + milliseconds
    free, cores, driver = [0.0] * min(workers, fits), [0.0] * whole, 0.0
    for _ in range(fits):
        driver = max(driver, heapq.heappop(free)) + costs.driver_ms
        computed = max(driver, heapq.heappop(cores)) + busy_ms
        heapq.heappush(cores, computed)
        heapq.heappush(free, computed + waits_ms)
    return max(free) / 1000


def predicted_efficiency(costs: Costs, fits: int, workers: int, milliseconds: float) -> float:
    """Returns the share of the workers' time that is the fits' own work."""
    seconds = predicted_seconds(costs, fits, workers, milliseconds)
    return fits * milliseconds / (1000 * seconds * workers)


def most_workers(costs: Costs, milliseconds: float) -> int:
    """Returns the number of workers that one driver can keep busy."""
    return max(1, int((costs.driver_ms + costs.worker_ms + milliseconds) / costs.driver_ms))
