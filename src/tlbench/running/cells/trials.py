"""The search of one cell: which trials come next, what they gave, and which one wins."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from tlbench.contracts.cell import Cell
from tlbench.contracts.executor import Fit
from tlbench.contracts.record import FitResult
from tlbench.running.cells.cell_folder import CellFolder, Winner
from tlbench.running.cells.failures import CellEnded
from tlbench.running.cells.hyperparameters import CellSettings
from tlbench.running.cells.reused_fits import FinishedFits
from tlbench.running.search.study import Search


class CellSearch:
    """The trials of a cell; whatever it is told is in the cell's folder before it goes on."""

    def __init__(self, cell: Cell, settings: CellSettings, folder: CellFolder, elsewhere: FinishedFits) -> None:
        self._cell, self._settings, self._folder, self._elsewhere = cell, settings, folder, elsewhere
        self._sign = 1.0 if settings.metric.greater_is_better else -1.0
        self._trials = folder.trials()
        self._best: FitResult | None = None
        for trial in self._trials.values():
            self._compare(trial)
        self._gathered: list[Fit] = []
        self.holders: dict[int, str] = {}
        """Trial to the worker that still has its predictor."""
        protocol = cell.protocol
        if settings.batch_size > protocol.lag:
            # Fits of one pass are drawn without a look at each other's scores.
            protocol = msgspec.structs.replace(protocol, lag=settings.batch_size)
        self._search = Search(
            cell.search_id, protocol, settings.space, settings.usable_defaults, self._sign, self._trials
        )

    def ask(self) -> list[Fit]:
        """Returns the fits of the next order: none where results have to come first, or where all are there.

        Of a strategy that fits several in one pass, as many as it takes: whether other fits are in work must not
        matter, for what is fitted together differs in the last bits.
        """
        size = self._settings.batch_size
        while len(self._gathered) < size and (trial := self._search.ask()) is not None:
            fit = Fit(trial.number, self._cell.protocol.seeds[0], trial.params)
            taken = self._elsewhere.trial(fit)
            if taken is None:
                self._gathered.append(fit)
            else:
                self.tell([taken])
        if len(self._gathered) < size and not self._search.is_exhausted:
            return []
        asked, self._gathered = self._gathered, []
        return asked

    def stop_below(self, fits: list[Fit]) -> dict[int, float]:
        """Returns step to the least score, as greater is better, with which a fit goes on; none where passes are."""
        return self._search.stop_below(fits[0].trial) if self._settings.batch_size == 1 else {}

    def tell(self, results: list[FitResult]) -> None:
        """Notes what the fits of one order gave."""
        self._folder.save_trials(results)
        for result in results:
            self._trials[result.trial] = result
            best = self._best
            self._compare(result)
            beaten = result if self._best is best else best
            if beaten is not None:
                self._folder.drop_saved(beaten.trial)
            self._search.tell(result.trial, result)

    @property
    def is_complete(self) -> bool:
        """Whether all trials are there."""
        return self._search.is_complete

    @property
    def best(self) -> FitResult | None:
        """The trial with the best validation score so far; of equals the first."""
        return self._best

    def _compare(self, trial: FitResult) -> None:
        if trial.status == "ok" and trial.validation is not None:
            both = [one for one in (self._best, trial) if one is not None]
            self._best = max(both, key=lambda one: (self._sign * (one.validation or 0.0), -one.trial))

    @property
    def trials(self) -> list[FitResult]:
        """The finished trials, by number."""
        return [self._trials[number] for number in sorted(self._trials)]

    def export(self) -> None:
        """Writes the search into the folder as an optuna study, for dashboards; nothing else reads it."""
        with suppress(Exception):  # a failed export costs no result
            self._search.export(self._folder.study)

    def winner(self) -> Winner:
        """Returns the best setting.

        Raises:
            Ended: No trial gave a score.
        """
        if (best := self.best) is not None:
            return Winner(best.params, self._cell.protocol.seeds, best.trial, best.validation)
        last, count = self.trials[-1], len(self._trials)
        reason = last.reason if count == 1 else f"no trial of {count} gave a score; {last.reason}"
        raise CellEnded("failed" if last.status == "pruned" else last.status, reason, last.traceback)
