"""The final fits of one cell: the winner at each seed, on a test split that may have changed since an interruption."""

from __future__ import annotations

from tlbench.contracts.executor import Fit, OrderResult
from tlbench.contracts.record import FitResult
from tlbench.running.cells.cell_folder import CellFolder, Winner
from tlbench.running.cells.failures import CellEnded
from tlbench.running.cells.reused_fits import FinishedFits


class CellFinals:
    """The winner's fits; whatever it is told is in the cell's folder before it goes on."""

    def __init__(self, winner: Winner, folder: CellFolder, elsewhere: FinishedFits) -> None:
        self.winner = winner
        self._folder, self._elsewhere = folder, elsewhere
        self._finals = {final.seed: final for final in folder.finals()}
        self._before = set(self._finals)
        """Seeds that an earlier process has finished."""
        self._tests: dict[int, str] = {}
        """Seed to the test split's fingerprint, of fits that were taken over in this process."""
        self._asked: set[int] = set()

    def ask(self, together: bool) -> list[Fit]:
        """Returns the fits that are missing and not asked for yet; with `together`, those of one pass."""
        missing = [seed for seed in self.winner.seeds if seed not in self._finals and seed not in self._asked]
        left = [seed for seed in missing if not self._take(seed)]
        if left and together:
            # All that are not another cell's, though a kill may have left some: the pass is the undisturbed one then.
            taken = {seed for seed, final in self._finals.items() if final.taken_over}
            left = [seed for seed in self.winner.seeds if seed not in taken]
        self._asked |= set(left)
        return [self.fit(seed) for seed in left]

    def fit(self, seed: int) -> Fit:
        """Returns the winner at a seed."""
        return Fit(self.winner.trial, seed, self.winner.params)

    def tell(self, results: list[FitResult]) -> None:
        """Notes what the fits of one order gave."""
        for result in results:
            if result.seed in self._finals and self._finals[result.seed].status == "ok":
                continue  # finished before an interruption, and made again beside the others of its pass
            self._folder.save_final(result)
            self._finals[result.seed] = result

    @property
    def count(self) -> int:
        """How many are finished."""
        return len(self._finals)

    @property
    def is_complete(self) -> bool:
        """Whether the winner is fitted at every seed."""
        return all(seed in self._finals for seed in self.winner.seeds)

    @property
    def results(self) -> tuple[FitResult, ...]:
        """The finished fits, in the order of the seeds."""
        return tuple(self._finals[seed] for seed in self.winner.seeds if seed in self._finals)

    def check(self) -> None:
        """Ends the cell if a fit went wrong.

        Raises:
            Ended: With what went wrong first.
        """
        if failed := next((final for final in self.results if final.status != "ok"), None):
            status = "failed" if failed.status == "pruned" else failed.status
            raise CellEnded(status, f"seed {failed.seed}: {failed.reason}", failed.traceback)

    def drop_misfits(self, answer: OrderResult) -> bool:
        """Forgets fits that answered another test split than was scored now; returns whether there were some.

        Raises:
            Ended: One that was made here does not fit.
        """
        test = answer.made_with.data.get("test", "")
        if any(one.data.get("test", test) != test for one in self._folder.made_with()):
            self._tests |= dict.fromkeys(self._before & self._finals.keys(), "another")
            self._folder.forget_test(test)
        other = {seed for seed, taken in self._tests.items() if taken != test} | set(answer.misfits)
        for seed in other:
            if seed in answer.misfits and seed not in self._tests and seed not in self._before:
                raise CellEnded("failed", f"the answers of seed {seed} cannot be scored: {answer.misfits[seed]}")
            self._folder.drop_final(seed)
            del self._finals[seed]
            self._tests.pop(seed, None)
        if other:
            self._elsewhere.forget_finals()
            self._before.clear()
            self._asked.clear()
        return bool(other)

    def _take(self, seed: int) -> bool:
        taken = self._elsewhere.final(self.fit(seed), self._folder.predictions(seed))
        if taken is None:
            return False
        self._folder.save_final(taken.result)
        self._finals[seed] = taken.result
        self._tests[seed] = taken.test
        return True
