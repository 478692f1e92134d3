"""What the processes of a fit on several devices do that are not the first: they fit with it, and write nothing."""

from __future__ import annotations

from tlbench.contracts.executor import FitOrder, OrderResult
from tlbench.running.fitting.context import CellContext
from tlbench.running.fitting.cross_validation import run_fits_or_folds
from tlbench.running.fitting.worker import Worker


class PeerWorker(Worker):
    """Carries out this device's part of the fits of orders; the worker of the first device returns their results."""

    def _answer(self, order: FitOrder, context: CellContext) -> OrderResult:
        """Returns the results of fits that failed on this device alone, and otherwise none."""
        group = context.session.group
        if not group.from_first(_unknown):
            # The first device has the predictor of these fits already.
            return OrderResult()
        fitted = run_fits_or_folds(order.fits, context, order.purpose, order.stop_below)  # type: ignore[arg-type]
        results = [one.result for one in fitted]
        if group.first_has_failed or all(one.status in ("ok", "pruned", "diverged") for one in results):
            return OrderResult()
        return OrderResult(tuple(results))


def _unknown() -> float:
    raise AssertionError("called on the first device only")
