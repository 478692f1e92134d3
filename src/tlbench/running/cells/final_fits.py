"""The final fits of one cell: the winner at each seed, on a test split that may have changed since an interruption."""

from __future__ import annotations

from tlbench.contracts.executor import Fit, OrderResult
from tlbench.contracts.record import FitResult
from tlbench.running.cells.cell_folder import CellFolder, Winner
from tlbench.running.cells.failures import CellFailed
from tlbench.running.cells.reused_fits import ReusedFits


class FinalFits:
    """The winner's fits at each seed; every result is written to the cell's folder before it is used."""

    def __init__(self, winner: Winner, folder: CellFolder, reused: ReusedFits) -> None:
        self.winner = winner
        self._folder, self._reused = folder, reused
        self._finals = {final.seed: final for final in folder.finals()}
        self._earlier = set(self._finals)
        """Seeds that an earlier process finished."""
        self._reused_tests: dict[int, str] = {}
        """Seed to the fingerprint of the test split that was predicted, for fits reused by this process."""
        self._ordered: set[int] = set()

    def ask(self, in_one_pass: bool) -> list[Fit]:
        """Returns the fits that are missing and not ordered yet, after reusing those of other cells.

        Args:
            in_one_pass: Whether the strategy fits several seeds in one pass; then all seeds of the pass are returned.
        """
        missing = [seed for seed in self.winner.seeds if seed not in self._finals and seed not in self._ordered]
        left = [seed for seed in missing if not self._reuse(seed)]
        if left and in_one_pass:
            # Results of a pass differ in the last bits with what else is in it. After a kill the whole pass is
            # repeated, so that it is the same as in a run without interruptions.
            reused = {seed for seed, final in self._finals.items() if final.taken_over}
            left = [seed for seed in self.winner.seeds if seed not in reused]
        self._ordered |= set(left)
        return [self.fit(seed) for seed in left]

    def fit(self, seed: int) -> Fit:
        """Returns the winner's fit at a seed."""
        return Fit(self.winner.trial, seed, self.winner.params)

    def tell(self, results: list[FitResult]) -> None:
        """Adds the results of one order."""
        for result in results:
            if result.seed in self._finals and self._finals[result.seed].status == "ok":
                continue  # finished before an interruption, and repeated only for the sake of its pass
            self._folder.save_final(result)
            self._finals[result.seed] = result

    @property
    def count(self) -> int:
        """The number of finished fits."""
        return len(self._finals)

    @property
    def is_complete(self) -> bool:
        """Whether the winner has a result at every seed."""
        return all(seed in self._finals for seed in self.winner.seeds)

    @property
    def results(self) -> tuple[FitResult, ...]:
        """The finished fits, in the order of the seeds."""
        return tuple(self._finals[seed] for seed in self.winner.seeds if seed in self._finals)

    def check(self) -> None:
        """Ends the cell if a fit failed.

        Raises:
            CellFailed: With the status and reason of the first fit that failed.
        """
        if failed := next((final for final in self.results if final.status != "ok"), None):
            # Final fits have no thresholds: only the strategy itself can have raised `Pruned`.
            status = "failed" if failed.status == "pruned" else failed.status
            raise CellFailed(status, f"seed {failed.seed}: {failed.reason}", failed.traceback)

    def drop_misfits(self, answer: OrderResult) -> bool:
        """Removes fits whose predictions are of another test split than the one scored; returns whether there are any.

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
            # Fitting once more would give the same again, and the cell would never end.
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
