"""The fits of a search by rungs: every trial has a short first fit, and the best ones have longer fits afterwards.

A trial that goes on is fitted again from its start to the later stop, with the same schedule, so the fit is the short
one and more steps. Which trials go on is decided when all trials of a rung have results. It depends on these results
alone and not on the number of workers, the order of fits or interruptions. The results are all that is stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tlbench.contracts.record import FitResult
from tlbench.running.search.rungs import Brackets, parts, rung_sizes
from tlbench.running.search.study import Search, Trial
from tlbench.running.search.trial_outcomes import outcome_of


class RungSearch:
    """A search with the interface of `Search` in which a trial may have several fits, of different lengths.

    A fit that a strategy does not stop, because it reports no scores, runs to its end and counts at each later rung.
    A trial that fails at a rung gives its place to the next best one of the rung before.
    """

    def __init__(self, search: Search, brackets: Brackets, sign: float, finished: Iterable[FitResult] = ()) -> None:
        """Starts a search, or resumes one.

        Args:
            search: Proposes the trials, and takes the results of their first fits.
            brackets: The brackets of the search.
            sign: 1.0 where greater scores are better, -1.0 where smaller ones are.
            finished: The results of earlier processes, of first and longer fits.
        """
        self._search, self._brackets, self._sign = search, brackets, sign
        self._results = {(result.trial, result.stop_part): result for result in finished}
        self._asked: set[tuple[int, int | None]] = set()
        first = {n: one for (n, part), one in self._results.items() if part == brackets.first_part(n)}
        search.restore(first)

    def ask(self) -> Trial | None:
        """Returns the next fit, as a trial with its length, or None if results have to come first or none is left."""
        if (trial := self._search.ask()) is not None:
            return trial
        for bracket in self._brackets.all:
            for rung, numbers in enumerate(self._rungs(bracket)):
                part = parts(bracket)[rung]
                for number in numbers if rung else ():
                    if self._at(number, rung) is None and (number, part) not in self._asked:
                        self._asked.add((number, part))
                        return Trial(number, self._search.params(number), stop_part=part)
        return None

    def tell(self, number: int, result: FitResult) -> None:
        """Adds the result of a fit; fits may finish in any order.

        Raises:
            ValueError: The trial was not asked for, or the result has different params.
        """
        if (number, result.stop_part) in self._asked and result.params != self._search.params(number):
            raise ValueError(f"trial {number} has params {self._search.params(number)}, and its result {result.params}")
        if result.stop_part == self._brackets.first_part(number):
            self._search.tell(number, result)
        self._results.setdefault((number, result.stop_part), result)

    @property
    def is_exhausted(self) -> bool:
        """Whether there is no further fit to ask for."""
        return self._search.is_exhausted and self.is_complete

    @property
    def is_complete(self) -> bool:
        """Whether all fits have results."""
        return self._search.is_complete and all(map(self._is_finished, self._brackets.all))

    @property
    def first_unfinished(self) -> int:
        """The lowest number of a trial without a result of its first fit."""
        return self._search.first_unfinished

    @property
    def total(self) -> int:
        """The number of trials."""
        return self._search.total

    def stop_below(self, number: int) -> dict[int, float]:
        """Returns no thresholds: what stops a fit is its length."""
        return {}

    def export(self, path: Path) -> None:
        """Writes the search to a SQLite file as an Optuna study, in which each trial has its longest fit."""
        # In order of length, so that the longest fit of a trial comes last.
        ordered = sorted(self._results.values(), key=lambda result: -(result.stop_part or 0))
        self._search.export(path, {result.trial: result for result in ordered})

    def _rungs(self, bracket: int) -> list[list[int]]:
        """Returns the trials at each rung of a bracket, up to the first rung that is not decided yet."""
        first = [number for number in range(self._search.total) if self._brackets.of(number) == bracket]
        if any(self._at(number, 0) is None for number in first):
            return []
        # A trial that repeats an earlier one is the same setting, and would take a place twice.
        rungs = [[number for number in first if (one := self._at(number, 0)) and one.repeats is None]]
        for rung, places in enumerate(rung_sizes(len(rungs[0]), bracket)):
            if rung == 0:
                continue
            before = {number: self._at(number, rung - 1) for number in rungs[-1]}
            if not all(before.values()):
                break
            scores = {number: score for number, one in before.items() if (score := self._score(one)) is not None}
            chosen, good = [], 0
            for number in sorted(scores, key=lambda number: (-scores[number], number)):
                if good == places:
                    break
                chosen.append(number)
                result = self._at(number, rung)
                good += result is None or self._score(result) is not None
            rungs.append(chosen)
        return rungs

    def _is_finished(self, bracket: int) -> bool:
        rungs = self._rungs(bracket)
        return len(rungs) == bracket + 1 and all(self._at(number, bracket) is not None for number in rungs[-1])

    def _at(self, number: int, rung: int) -> FitResult | None:
        """Returns the result of a trial at a rung; a whole fit at an earlier rung is its result at all later ones."""
        reached = parts(self._brackets.of(number))[: rung + 1]
        results = [self._results.get((number, part)) for part in reached]
        return next((one for one in results if one is not None and one.status == "ok"), results[-1])

    def _score(self, result: FitResult | None) -> float | None:
        """Returns the score with which a fit ended, signed so that greater is better; None if it failed."""
        if result is None:
            return None
        outcome = outcome_of(result, self._sign)
        return outcome.curve[-1][1] if outcome.state == "pruned" and outcome.curve else outcome.value
