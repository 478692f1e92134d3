"""The search of one cell: asks for settings, is told what they gave, and goes the same way however it is run.

It lives in memory and is rebuilt from the results of finished fits, which are all that has to be kept. What is drawn
for a trial depends on the search's identity, the trial's number and the results within its `Horizon`, which ends
`Protocol.lag` or more trials before it: on nothing else, so neither on how many workers fit, nor on which of them ends
first, nor on kills between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.contracts.cell import Protocol, Sampler
from tlbench.contracts.record import FitResult
from tlbench.contracts.space import Choice, Domain, Space, Value, is_fixed
from tlbench.running.search import pruners
from tlbench.running.search.grid import grid
from tlbench.running.search.horizon import Horizon
from tlbench.running.search.told_trials import Told, told

if TYPE_CHECKING:
    from tlbench.running.search.samplers import Draws


@dataclass(frozen=True)
class Trial:
    """A setting to try."""

    number: int
    params: dict[str, Value]


class Search:
    """Asks for settings in order of number, as far as the results that each may depend on have been told.

    A search of one trial is TPE's, whatever the protocol says, for the sampler is then in no identity (and no pruner
    has anything to compare). Where nothing is free there is one setting, and so one trial.
    """

    def __init__(
        self,
        identity: str,
        protocol: Protocol,
        space: Space,
        defaults: Mapping[str, Value],
        sign: float,
        finished: Mapping[int, FitResult] | None = None,
    ) -> None:
        """Begins a search, or takes one up again.

        Args:
            identity: The cell's `search_id`; searches with the same one go the same way.
            protocol: How many trials, by which sampler and pruner, at which lag.
            space: What may be chosen; what is fixed in it is in every setting.
            defaults: Values within the space that are tried first, what they leave out being drawn; a grid has none.
            sign: 1.0 where greater scores are better, -1.0 where smaller ones are.
            finished: Results of earlier processes by number, with or without gaps. These trials aren't asked for, and
                have the setting that their result has, whether or not it would be drawn now; one that is outside the
                space keeps its number, and no later setting is drawn from it.
        """
        self._identity, self._protocol, self._space, self._sign = identity, protocol, space, sign
        self._free = {name: domain for name, domain in space.items() if not is_fixed(domain)}
        self._fixed = {name: _only(domain) for name, domain in space.items() if is_fixed(domain)}
        self._first = {name: value for name, value in defaults.items() if name in self._free}
        self._sampler: Sampler = protocol.sampler if protocol.is_searched else "tpe"
        self._rule = pruners.rule(protocol.pruner, protocol.max_steps)
        self._points = grid(self._free, protocol.trials) if self._sampler == "grid" else []
        self.total = len(self._points) if self._points else protocol.trials if self._free else 1
        self._waits = self._sampler in {"tpe", "gp"} or self._rule is not None
        self._horizon = Horizon(protocol.lag, protocol.max_steps)
        self._draws: Draws | None = None
        self._settings: dict[int, dict[str, Value]] = {}
        self._results: dict[int, FitResult] = {}
        self._ends: dict[int, Told] = {}
        self._thresholds: dict[int, dict[int, float]] = {}
        self._next = self._in_order = self._judged = 0
        for number, result in (finished or {}).items():
            if 0 <= number < self.total:
                self._settings[number] = result.params
                self._note(number, result)
        self._skip()

    def ask(self) -> Trial | None:
        """Returns the next trial; None where results have to be told first, or where there are no more trials."""
        number = self._next
        if self.is_exhausted:
            return None
        seen = self._horizon.of(number, self._ends, self._in_order) if self._waits else 0
        if seen is None:
            return None
        drawn = self._drawn(number, seen)
        params = {name: drawn[name] if name in drawn else self._fixed[name] for name in self._space}
        if self._rule is not None:
            for other in range(self._judged, seen):
                self._rule.add(other, self._ends[other])
            self._judged = seen
            self._thresholds[number] = self._rule.thresholds(number)
        self._settings[number] = params
        self._next += 1
        self._skip()
        return Trial(number, params)

    def tell(self, number: int, result: FitResult) -> None:
        """Notes what a trial gave, in whatever order trials end; of two results of one trial the first one counts.

        Raises:
            ValueError: The trial was not asked for, or the result is of another setting.
        """
        if number not in self._settings:
            raise ValueError(f"trial {number} was not asked for")
        if number in self._results:
            return
        if result.params != self._settings[number]:
            raise ValueError(f"trial {number} is {self._settings[number]}, not {result.params}")
        self._note(number, result)

    @property
    def is_exhausted(self) -> bool:
        """Whether there is no further trial to ask for."""
        return self._next >= self.total

    @property
    def is_complete(self) -> bool:
        """Whether all trials were told."""
        return len(self._results) == self.total

    def stop_below(self, number: int) -> dict[int, float]:
        """Returns at which steps a trial that was asked for is stopped below which score; empty without a pruner.

        Scores have the sign under which greater is better: it is the fit's best score so far, times the sign, that
        `pruners.falls_short` compares with them.
        """
        return self._thresholds.get(number, {})

    def export(self, path: Path) -> None:
        """Writes the search as an optuna study in a sqlite file, for dashboards: whole, or not at all."""
        from tlbench.running.search.export import export

        rows = [
            (self._settings.get(number), self._results.get(number))
            for number in range(max(self._settings, default=-1) + 1)
        ]
        export(path, self._identity, self._sign, self._free, rows)

    def _drawn(self, number: int, seen: int) -> dict[str, Value]:
        if self._sampler == "grid":
            return self._points[number]
        if not self._free:
            return {}
        if self._draws is None:
            from tlbench.running.search.samplers import Draws

            self._draws = Draws(self._sampler, self._identity, self._free)
        return self._draws.draw(number, seen, self._first if number == 0 else {}, self._settings, self._ends)

    def _note(self, number: int, result: FitResult) -> None:
        self._results[number], self._ends[number] = result, told(result, self._sign)
        while self._in_order in self._results:
            self._in_order += 1

    def _skip(self) -> None:
        while self._next in self._results:
            self._next += 1


def _only(domain: Domain) -> Value:
    return domain.values[0] if isinstance(domain, Choice) else domain.low
