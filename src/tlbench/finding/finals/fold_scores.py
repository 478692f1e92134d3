"""Compares the settings that tie by cross-validation, where the validation split is too small to tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from tlbench.contracts.cell import Cell
from tlbench.contracts.executor import Executor, Fit, FitOrder, Handle, WorkerLost
from tlbench.contracts.metric import Metric
from tlbench.contracts.policies.policy import Proposal
from tlbench.finding.candidates.all_candidates import Entry
from tlbench.finding.clock import Clock
from tlbench.finding.costs.corrected_costs import Costs
from tlbench.finding.finals.ties import Contender, tie_set
from tlbench.finding.find_folder import FindFolder, StoredFit
from tlbench.finding.reserve import FEW_ROWS, FOLDS, SAFETY_MEASURED, final_seconds, fold_seconds
from tlbench.running.cells.attempt import OrderDefaults

MOST_COMPARED = 4
_WAIT_SECONDS = 0.5


@dataclass(frozen=True)
class FoldComparison:
    """Fits settings on folds of training and validation rows together, and scores all predictions at once."""

    entries: Sequence[Entry]
    fits: Sequence[StoredFit]
    folder: FindFolder
    clock: Clock
    executor: Executor
    defaults: OrderDefaults
    metric: Metric
    costs: Costs

    def scores(self, found: Sequence[Contender], seconds: float) -> dict[int, float]:
        """Returns the scores of the best setting and those that tie with it, signed so that greater is better.

        It is empty if there are validation rows enough, if nothing ties, or if the time does not hold two settings
        besides the winner's final fits. Scores that an earlier process found are not computed again.

        Args:
            found: The best fit of each candidate, at least one.
            seconds: The time until the deadline.
        """
        if self.costs.shape.validation_rows >= FEW_ROWS:
            return {}
        known = self.folder.fold_scores()
        chosen = self._chosen(found, seconds)
        new = [one for one in chosen if one.number not in known]
        if len(chosen) >= 2:
            self._compare(new, known, self.clock.elapsed + seconds - self._final_seconds(chosen[0]))
        sign = 1.0 if self.metric.greater_is_better else -1.0
        scored = {one.number: known.get(one.number) for one in chosen}
        signed = {number: sign * score for number, score in scored.items() if score is not None}
        return signed if len(signed) >= 2 else {}

    def _chosen(self, found: Sequence[Contender], seconds: float) -> list[Contender]:
        """Returns the best fit and as many of those that tie with it as the time holds, the best score first."""
        winner = max(found, key=lambda one: (one.score, -one.number))
        workers, left = max(1, self.executor.capacity().workers), seconds - self._final_seconds(winner)
        chosen: list[Contender] = []
        spent, known = 0.0, self.folder.fold_scores()
        for one in tie_set(found, winner, self.metric).all[:MOST_COMPARED]:
            if one.number not in known:
                spent += SAFETY_MEASURED * fold_seconds(self._proposal(one), self.costs)
            # With fewer settings than workers, each takes as long as one.
            if spent / min(workers, len(chosen) + 1) > left:
                break
            chosen.append(one)
        return chosen

    def _final_seconds(self, winner: Contender) -> float:
        return final_seconds(self._proposal(winner), self.costs, 1, 1)

    def _proposal(self, one: Contender) -> Proposal:
        return Proposal(one.candidate, self.fits[one.number].proposed.params)

    def _compare(self, settings: Sequence[Contender], known: dict[int, float | None], ends: float) -> None:
        """Adds the scores of settings to those that are known, and stores them; stops when the clock says `ends`."""
        waiting, running = list(settings), dict[Handle, Contender]()
        workers = max(1, self.executor.capacity().workers)
        while running or (waiting and self.clock.elapsed < ends):
            while waiting and len(running) < workers and self.clock.elapsed < ends:
                one = waiting.pop(0)
                running[self.executor.submit(self._order(one, ends - self.clock.elapsed))] = one
            left = ends - self.clock.elapsed
            for handle in self.executor.wait(list(running), max(0.0, min(_WAIT_SECONDS, left))):
                known[running.pop(handle).number] = _score(handle)
                self.folder.save_fold_scores(known)
            if self.clock.elapsed >= ends:
                for handle in running:
                    handle.cancel()

    def _order(self, one: Contender, seconds: float) -> FitOrder:
        entry = self.entries[one.candidate]
        params = self.fits[one.number].proposed.params
        cell = in_folds(entry.fixed(params), self.costs.shape.validation_rows)
        return FitOrder(
            cell,
            "search",
            (Fit(0, cell.protocol.seeds[0], params),),
            str(self.folder.fit_folder(one.number).resolve()),
            device=self.defaults.device,
            precision=self.defaults.precision(cell.protocol.precision),
            threads=self.defaults.threads,
            environment=dict(self.defaults.environment),
            imports=entry.imports,
            seconds=max(0.5, seconds),
        )


def in_folds(cell: Cell, validation_rows: int) -> Cell:
    """Returns the cell whose search fits on folds of the rows that fits of this cell see, with those of validation."""
    limit = cell.protocol.train_limit
    protocol = msgspec.structs.replace(
        cell.protocol,
        folds=FOLDS,
        final="train+validation",
        train_limit=None if limit is None else limit + validation_rows,
    )
    return msgspec.structs.replace(cell, protocol=protocol)


def _score(handle: Handle) -> float | None:
    with suppress(WorkerLost):
        answer = handle.result()
        if not answer.error and len(answer.results) == 1 and answer.results[0].status == "ok":
            return answer.results[0].validation
    return None
