"""The final fits of one cell: the winner fitted at each seed.

After an interruption, final fits are repeated if the test split has changed.
"""

from __future__ import annotations

from tlbench.contracts.executor import Fit, OrderResult
from tlbench.contracts.record import FitResult
from tlbench.running.cells.cell_folder import CellFolder, Winner
from tlbench.running.cells.failures import CellFailed
from tlbench.running.cells.reused_fits import ReusedFits
from tlbench.running.search.futility import Futility


class FinalFits:
    """The winner's fits at each seed; every result is written to the cell's folder before it is used."""

    def __init__(
        self, winner: Winner, folder: CellFolder, reused: ReusedFits, futility: Futility | None = None
    ) -> None:
        self.winner = winner
        self._futility = futility
        self._folder, self._reused = folder, reused
        self._finals = {final.seed: final for final in folder.finals()}
        self._earlier = set(self._finals)
        """Seeds whose final fit was finished by an earlier process."""
        self._reused_tests: dict[int, str] = {}
        """For each seed whose fit this process reused, the fingerprint of the test split that the fit predicted."""
        self._ordered: set[int] = set()

    def ask(self, in_one_pass: bool) -> list[Fit]:
        """Reuses fits of other cells, and returns the missing fits that are not part of an order yet.

        Args:
            in_one_pass: Whether the strategy fits several seeds in one pass. If so and if any fit is missing, the fits
                of all seeds are returned, except reused ones.
        """
        seeds = self._current_pass
        missing = [seed for seed in seeds if seed not in self._finals and seed not in self._ordered]
        left = [seed for seed in missing if not self._reuse(seed)]
        if left and in_one_pass:
            # The result of a fit depends in its last bits on the other fits in the pass. After a kill the whole pass
            # is repeated, so that results are the same as in a run without interruptions.
            reused = {seed for seed, final in self._finals.items() if final.taken_over}
            left = [seed for seed in seeds if seed not in reused]
        self._ordered |= set(left)
        return [self.fit(seed) for seed in left]

    def fit(self, seed: int) -> Fit:
        """Returns the winner's fit at a seed."""
        return Fit(self.winner.trial, seed, self.winner.params, self.winner.notes)

    def tell(self, results: list[FitResult]) -> None:
        """Adds the results of one order."""
        for result in results:
            if result.seed in self._finals and self._finals[result.seed].status == "ok":
                continue  # finished before an interruption; repeated only because its whole pass was
            self._folder.save_final(result)
            self._finals[result.seed] = result

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that the winner is fitted at; only the first if the others were stopped for futility."""
        return self.winner.seeds[:1] if self.futility else self.winner.seeds

    @property
    def futility(self) -> str:
        """Why the seeds after the first are not fitted; empty if they are fitted or if this is not decided yet."""
        return self._futility.reason(self._validation) if self._futility else ""

    @property
    def _validation(self) -> float | None:
        """The winner's validation score: that of the search or, without a search, of the first seed's final fit."""
        first = self._finals.get(self.winner.seeds[0])
        return first.validation if self.winner.validation is None and first else self.winner.validation

    @property
    def _current_pass(self) -> tuple[int, ...]:
        """The seeds whose fits may be ordered now, in one pass."""
        seeds = self.seeds
        if self._futility is None or self.winner.validation is not None:
            return seeds
        # Without a search, the fit of the first seed decides whether the others follow.
        return seeds[1:] if seeds[0] in self._finals else seeds[:1]

    @property
    def count(self) -> int:
        """The number of finished fits."""
        return len(self._finals)

    @property
    def is_complete(self) -> bool:
        """Whether the winner has a result at every seed."""
        return all(seed in self._finals for seed in self.seeds)

    @property
    def results(self) -> tuple[FitResult, ...]:
        """The finished fits, in the order of the seeds."""
        return tuple(self._finals[seed] for seed in self.seeds if seed in self._finals)

    def check(self) -> None:
        """Checks that no final fit failed.

        Raises:
            CellFailed: A fit failed; the error has the status and reason of the first such fit.
        """
        if failed := next((final for final in self.results if final.status != "ok"), None):
            # Final fits have no thresholds: only the strategy itself can have raised `Pruned`.
            status = "failed" if failed.status == "pruned" else failed.status
            raise CellFailed(status, f"seed {failed.seed}: {failed.reason}", failed.traceback)

    def drop_misfits(self, answer: OrderResult) -> bool:
        """Removes fits whose predictions are not for the current test split; returns whether any were removed.

        Raises:
            CellFailed: A fit of this process has predictions that cannot be scored.
        """
        test = answer.made_with.data.get("test", "")
        if any(one.data.get("test", test) != test for one in self._folder.provenances()):
            # The folder does not say which seed was predicted on which split, so all earlier ones are dropped.
            self._reused_tests |= dict.fromkeys(self._earlier & self._finals.keys(), "another")
            self._folder.drop_other_tests(test)
        outdated = {seed for seed, fingerprint in self._reused_tests.items() if fingerprint != test}
        outdated |= set(answer.misfits)
        for seed in outdated:
            # This process has just made the fit: another fit would give the same predictions, in an endless loop.
            if seed in answer.misfits and seed not in self._reused_tests and seed not in self._earlier:
                raise CellFailed("failed", f"the answers of seed {seed} cannot be scored: {answer.misfits[seed]}")
            self._folder.drop_final(seed)
            del self._finals[seed]
            self._reused_tests.pop(seed, None)
        if outdated:
            self._reused.forget_finals()
            self._earlier.clear()
            self._ordered.clear()
        return bool(outdated)

    def _reuse(self, seed: int) -> bool:
        reused = self._reused.final(self.fit(seed), self._folder.predictions(seed))
        if reused is None:
            return False
        self._folder.save_final(reused.result)
        self._finals[seed] = reused.result
        self._reused_tests[seed] = reused.test
        return True
