"""Measures how long the saved model of the winner takes to predict, where the request limits latencies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tlbench.contracts.executor import Executor, Fit
from tlbench.contracts.record import Record
from tlbench.finding.backbone_latency import latency_text, measured, time_order, too_slow
from tlbench.finding.candidates.all_candidates import Entry
from tlbench.finding.find_folder import FindFolder
from tlbench.results.models.kept_models import best_fit, kept_models
from tlbench.results.records.store import Store
from tlbench.running.cells.attempt import OrderDefaults

RESERVE_SECONDS, RESERVE_SHARE = 6.0, 0.03
"""Time that is kept for measuring: so many seconds, or this share of the budget, if that is less."""


def latency_reserve(seconds: float, limit_ms: float | None) -> float:
    """Returns the seconds of a budget that are kept for measuring the winner; none without a limit."""
    return 0.0 if limit_ms is None else min(RESERVE_SECONDS, RESERVE_SHARE * seconds)


@dataclass(frozen=True)
class WinnerLatency:
    """Measures the saved model of one search's winner."""

    store: Store
    folder: FindFolder
    executor: Executor
    defaults: OrderDefaults
    seconds_left: Callable[[], float]
    limit_ms: float

    def note(self, record: Record, entry: Entry, greater_is_better: bool) -> str:
        """Returns in a sentence how long the winner takes, and whether that is within the limit; empty without a model.

        What an earlier process measured is read from the folder of the search.

        Args:
            record: The record of the winner's final fits.
            entry: The winner's candidate.
            greater_is_better: The direction of the metric, by which the seed was chosen whose model was kept.
        """
        known = self.folder.latencies()
        if record.cell.id not in known:
            fit = best_fit(record.fits, greater_is_better)
            model = next((one for one in kept_models(self.store.root, record) if one.manifest.seed == fit.seed), None)
            if model is None or self.seconds_left() <= 0:
                return ""
            fits = (Fit(fit.trial, fit.seed, fit.params),)
            own = replace(entry, cell=record.cell)
            order = time_order(own, model.folder, self.defaults, self.seconds_left, fits)
            known[record.cell.id] = measured(order, self.executor, self.seconds_left)
            self.folder.save_latencies(known)
        found = known[record.cell.id]
        if not found:
            return "the latency of the saved model could not be measured within the time"
        slow = too_slow({record.cell.id: found}, self.limit_ms)
        verdict = f"more than {self.limit_ms:g} ms" if slow else f"within {self.limit_ms:g} ms"
        return f"the saved model predicts in {latency_text(found)} (95% points): {verdict}"
