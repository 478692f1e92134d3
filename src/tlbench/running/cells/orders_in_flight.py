"""The orders of one cell that were handed out and have no result yet, and the clock of the cell's time limit."""

from __future__ import annotations

import time
from dataclasses import dataclass

import msgspec

from tlbench.contracts.executor import Fit, FitOrder, OrderResult
from tlbench.contracts.record import FitResult
from tlbench.running.cells.failures import CellFailed


@dataclass
class WorkClock:
    """Adds up the time during which at least one order of a cell is running; parallel orders count once."""

    seconds: float = 0.0
    running: int = 0
    started: float = 0.0

    def start(self) -> None:
        """Marks the start of an order."""
        if self.running == 0:
            self.started = time.monotonic()
        self.running += 1

    def stop(self) -> None:
        """Marks the end of an order."""
        self.running -= 1
        if self.running == 0:
            self.seconds += time.monotonic() - self.started

    def elapsed(self) -> float:
        """Returns the time so far in seconds, including the time of orders that are still running."""
        return self.seconds + (time.monotonic() - self.started if self.running else 0.0)


class OrdersInFlight:
    """Keeps track of a cell's orders, and runs the cell's clock while a worker carries out at least one of them."""

    def __init__(self, earlier_seconds: float = 0.0) -> None:
        """Starts without orders; `earlier_seconds` is the time that earlier processes worked on the cell."""
        # Orders are told apart by the identity of their fits: the dispatcher adds the seconds left to an order, but
        # the tuple of fits stays the same.
        self._fits: list[tuple[Fit, ...]] = []
        self._running: list[tuple[Fit, ...]] = []
        """The fits of each order that a worker is carrying out, also of those that were forgotten."""
        self._clock = WorkClock(earlier_seconds)

    def __bool__(self) -> bool:
        return bool(self._fits)

    @property
    def seconds(self) -> float:
        """The time in seconds during which at least one order was carried out, in earlier processes too."""
        return self._clock.elapsed()

    def add(self, order: FitOrder) -> None:
        """Adds an order that is handed out."""
        self._fits.append(order.fits)

    def start_clock(self, order: FitOrder) -> None:
        """Starts the clock for an order that is now being carried out."""
        self._clock.start()
        self._running.append(order.fits)

    def remove(self, order: FitOrder) -> bool:
        """Removes an order that has ended; returns False if it was removed or forgotten before."""
        if _remove(self._running, order):
            self._clock.stop()
        return _remove(self._fits, order)

    def forget(self) -> None:
        """Forgets all orders, so that their results are ignored; the clock runs until they have ended."""
        self._fits.clear()


def repeated_order(order: FitOrder) -> FitOrder:
    """Returns an order whose worker was lost as the next attempt."""
    # The lost worker may have been the one that held the predictor, so the order names none any more.
    return msgspec.structs.replace(order, attempt=order.attempt + 1, worker="")


def results_of(order: FitOrder, answer: OrderResult) -> list[FitResult]:
    """Returns the results of an order's fits.

    Raises:
        CellFailed: They are of other fits: an executor from a plugin may mix up its orders.
    """
    results = list(answer.results)
    if [(one.trial, one.seed, one.params) for one in results] != [
        (fit.trial, fit.seed, fit.params) for fit in order.fits
    ]:
        raise CellFailed("failed", "the executor answered other fits than it was given")
    return results


def _remove(known: list[tuple[Fit, ...]], order: FitOrder) -> bool:
    for i, fits in enumerate(known):
        if fits is order.fits:
            del known[i]
            return True
    return False
