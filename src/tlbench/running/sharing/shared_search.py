"""A search whose fits several drivers make: each proposes the same trials, and fits those that it can claim.

What a trial's params are depends on the results of earlier trials alone, as in every search, so drivers agree without
asking each other. Only who fits a trial depends on which driver comes first.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tlbench.contracts.record import FitResult, Provenance
from tlbench.running.search.rung_search import RungSearch
from tlbench.running.search.study import Search, Trial
from tlbench.running.sharing.shared_studies import SharedCell, SharedFit


class SharedSearch:
    """A search with the interface of `Search` that leaves to other drivers the fits that they have claimed."""

    def __init__(
        self,
        search: Search | RungSearch,
        cell: SharedCell,
        finished: list[FitResult],
        made_with: Callable[[], Provenance],
        add_provenance: Callable[[Provenance], None],
    ) -> None:
        """Starts a shared search.

        Args:
            search: Proposes the trials.
            cell: The claims of all drivers on the cell.
            finished: Fits of an earlier process of this driver, which the others are told.
            made_with: Returns the provenance of this driver's last fit.
            add_provenance: Called with the provenance of each fit that another driver made.
        """
        self._search, self._cell, self._made_with, self._add_provenance = search, cell, made_with, add_provenance
        self._mine: set[str] = set()
        self._elsewhere: dict[str, Trial] = {}
        """Trials that another driver has claimed and whose results this one does not have yet."""
        self._received: list[Trial] = []
        """Trials with the results of other drivers, which `ask` returns one by one."""
        for result in finished:
            item = _item(result.trial, result.stop_part)
            if result.repeats is None and cell.claim_fit(item):
                cell.finish_fit(item, SharedFit(result, made_with()))

    def ask(self) -> Trial | None:
        """Returns the next fit of this driver, a trial with its result from another driver, or None."""
        if self._received:
            return self._received.pop(0)
        while (trial := self._search.ask()) is not None:
            if trial.result is not None or self._claim(trial):
                return trial
            self._elsewhere[_item(trial.number, trial.stop_part)] = trial
        return self._from_elsewhere()

    def publish(self, result: FitResult) -> bool:
        """Hands a result of this driver to the others; returns False if it comes too late and must not be used.

        A result that this driver did not make, because it repeats another or came from elsewhere, is passed.
        """
        item = _item(result.trial, result.stop_part)
        if item not in self._mine:
            return True
        self._mine.discard(item)
        if self._cell.finish_fit(item, SharedFit(result, self._made_with())):
            return True
        # This driver counted as dead for a while, and another has made the fit or is making it.
        self._elsewhere[item] = Trial(result.trial, result.params, stop_part=result.stop_part)
        return False

    def tell(self, number: int, result: FitResult) -> None:
        """Adds the result of a fit."""
        self._search.tell(number, result)

    def drivers(self) -> dict[str, int]:
        """Returns how many fits each driver made."""
        return self._cell.drivers()

    @property
    def is_exhausted(self) -> bool:
        """Whether there is no further fit to ask for."""
        return self._search.is_exhausted and not self._elsewhere

    @property
    def is_complete(self) -> bool:
        """Whether all fits have results."""
        return self._search.is_complete

    @property
    def first_unfinished(self) -> int:
        """The lowest number of a trial without a result."""
        return self._search.first_unfinished

    @property
    def total(self) -> int:
        """The number of trials."""
        return self._search.total

    def stop_below(self, number: int) -> dict[int, float]:
        """Returns, by step, the score below which a trial is pruned."""
        return self._search.stop_below(number)

    def export(self, path: Path) -> None:
        """Writes the search to a SQLite file as an Optuna study."""
        self._search.export(path)

    def _claim(self, trial: Trial) -> bool:
        item = _item(trial.number, trial.stop_part)
        if not self._cell.claim_fit(item):
            return False
        self._mine.add(item)
        return True

    def _from_elsewhere(self) -> Trial | None:
        """Returns a trial that another driver has finished, or one that its driver has left."""
        if not self._elsewhere:
            return None
        found = self._cell.others()
        for item, trial in [*self._elsewhere.items()]:
            if item not in found:
                continue
            if (shared := found[item]) is not None:
                del self._elsewhere[item]
                self._received.append(Trial(trial.number, trial.params, shared.result, trial.stop_part))
                self._add_provenance(shared.made_with)
            elif self._claim(trial):
                del self._elsewhere[item]
                return trial
        return self._received.pop(0) if self._received else None


def _item(number: int, stop_part: int | None) -> str:
    return f"fit {number}" if stop_part is None else f"fit {number}/{stop_part}"
