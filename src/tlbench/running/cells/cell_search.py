"""The trials of one cell: proposes the next fits, collects their results and determines the winner."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from tlbench.contracts.cell import Cell
from tlbench.contracts.executor import Fit
from tlbench.contracts.record import FitResult, Provenance
from tlbench.running.cells.cell_folder import CellFolder, Winner, order_in_search
from tlbench.running.cells.failures import CellFailed
from tlbench.running.cells.hyperparameters import CellSettings
from tlbench.running.cells.reused_fits import ReusedFits
from tlbench.running.search.rung_search import RungSearch
from tlbench.running.search.study import Search
from tlbench.running.sharing.shared_search import SharedSearch
from tlbench.running.sharing.shared_studies import SharedCell


class CellSearch:
    """The trials of a cell; every result is written to the cell's folder before it is used."""

    def __init__(
        self,
        cell: Cell,
        settings: CellSettings,
        folder: CellFolder,
        reused: ReusedFits,
        shared: SharedCell | None = None,
    ) -> None:
        """Starts or resumes a search; with `shared`, other drivers make some of its fits."""
        self._cell, self._settings, self._folder, self._reused = cell, settings, folder, reused
        self._sign = 1.0 if settings.metric.greater_is_better else -1.0
        finished = folder.trials()
        self._trials = {order_in_search(trial): trial for trial in finished}
        self._best: FitResult | None = None
        for trial in finished:
            self._update_best(trial)
        self._batch: list[Fit] = []
        """Proposed fits, held back until they fill a batch that is trained in one pass."""
        self.predictor_workers: dict[int, str] = {}
        """For each trial whose predictor a worker still has in memory, the name of that worker, by trial number."""
        protocol = cell.protocol
        if settings.batch_size > protocol.lag:
            # The fits of one pass cannot learn from each other's scores. With a lag below the batch size, the search
            # would wait for results of a pass that it has not filled yet.
            protocol = msgspec.structs.replace(protocol, lag=settings.batch_size)
        if settings.batch_size > 1:
            # No fit of a pass can stop before the pass ends.
            protocol = msgspec.structs.replace(protocol, pruner="none")
        search = Search(cell.search_id, protocol, settings.space, settings.usable_defaults, self._sign)
        self._search: Search | RungSearch | SharedSearch = search
        if search.brackets is None:
            search.restore({trial.trial: trial for trial in finished})
        else:
            self._search = RungSearch(search, search.brackets, self._sign, finished)
        # The fits of one pass belong together, and are all one driver's.
        if shared is not None and settings.batch_size == 1:
            self._search = SharedSearch(self._search, shared, finished, self._made_with, folder.add_provenance)

    def ask(self) -> list[Fit]:
        """Returns the fits of the next order; empty if results have to come first or no trial is left.

        For a strategy that fits several trials in one pass, each order is a full batch, except for the last order and
        where trials that are not fitted (repeated or reused ones) fill the lag. The fits in a batch must not depend on
        the number of other orders in flight, because the result of a fit differs in the last bits depending on the
        other fits in its pass.
        """
        size = self._settings.batch_size
        while len(self._batch) < size and (trial := self._search.ask()) is not None:
            if trial.result is not None:
                self.tell([trial.result])
                continue
            # The search compares params at the first seed only.
            fit = Fit(trial.number, self._cell.protocol.seeds[0], trial.params, stop_part=trial.stop_part)
            reused = self._reused.trial(fit)
            if reused is None:
                self._batch.append(fit)
            else:
                self.tell([reused])
        # A batch that is not full waits for more fits, unless the search itself waits for the results of the batch.
        if (
            len(self._batch) < size
            and not self._search.is_exhausted
            and not (self._batch and self._batch[0].trial == self._search.first_unfinished)
        ):
            return []
        fits, self._batch = self._batch, []
        return fits

    def stop_below(self, fits: list[Fit]) -> dict[int, float]:
        """Returns, by step, the minimum score that a fit needs to continue (signed so that greater is better).

        Empty for a strategy that fits several trials in one pass, since none of them can stop before the pass ends.
        """
        return self._search.stop_below(fits[0].trial) if self._settings.batch_size == 1 else {}

    def tell(self, results: list[FitResult]) -> None:
        """Adds the results of one order; those that another driver has meanwhile are dropped."""
        if isinstance(self._search, SharedSearch):
            results = [result for result in results if self._search.publish(result)]
            if not results:
                return
        self._folder.save_trials(results)
        for result in results:
            self._trials[order_in_search(result)] = result
            best = self._best
            self._update_best(result)
            # Only the best trial's predictor stays on disk: drop this one's, or that of the trial it beats.
            beaten = result if self._best is best else best
            if beaten is not None:
                self._folder.drop_saved(beaten.trial)
            self._search.tell(result.trial, result)

    def _made_with(self) -> Provenance:
        return (self._folder.provenances() or [Provenance()])[-1]

    @property
    def is_shared(self) -> bool:
        """Whether other drivers may make some of the fits."""
        return isinstance(self._search, SharedSearch)

    def drivers(self) -> dict[str, int]:
        """Returns how many fits each driver made, by machine and process; empty if the search is not shared."""
        return self._search.drivers() if isinstance(self._search, SharedSearch) else {}

    @property
    def is_complete(self) -> bool:
        """Whether all trials have results."""
        return self._search.is_complete

    @property
    def total(self) -> int:
        """Number of trials of the whole search."""
        return self._search.total

    @property
    def best(self) -> FitResult | None:
        """The trial with the best validation score so far, or None; of equal trials, the one with the lowest number."""
        return self._best

    def _update_best(self, trial: FitResult) -> None:
        if trial.status == "ok" and trial.validation is not None:
            both = [one for one in (self._best, trial) if one is not None]
            # The number breaks ties, so that the winner does not depend on which fit finished first.
            self._best = max(both, key=lambda one: (self._sign * (one.validation or 0.0), -one.trial))

    @property
    def trials(self) -> list[FitResult]:
        """The finished fits, by the number of their trial, and shorter ones first."""
        return [self._trials[key] for key in sorted(self._trials)]

    def export(self) -> None:
        """Writes the search into the cell's folder as an Optuna study, for dashboards; tlbench never reads it."""
        with suppress(Exception):  # a failed export must not cost the results
            self._search.export(self._folder.study)

    def winner(self) -> Winner:
        """Returns the best of the finished trials as the winner.

        Raises:
            CellFailed: No trial has a score.
        """
        if (best := self.best) is not None:
            protocol = self._cell.protocol
            notes = best.notes if protocol.trains_on_validation else {}
            planned = None if self.is_complete else self.total
            return Winner(best.params, protocol.seeds, best.trial, best.validation, planned, notes)
        last, count = self.trials[-1], len(self._trials)
        reason = last.reason if count == 1 else f"no trial of {count} gave a score; {last.reason}"
        raise CellFailed("failed" if last.status == "pruned" else last.status, reason, last.traceback)
