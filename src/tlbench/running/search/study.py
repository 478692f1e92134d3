"""The search of one cell: an ask-and-tell interface whose trials are the same however the search is run.

The search is held in memory and rebuilt from the results of finished fits, so nothing else has to be stored. The params
of a trial depend only on the search's identity, the trial's number and the results in its `LagWindow`, which ends
`Protocol.lag` or more trials before it. They don't depend on the number of workers, on which fit finishes first, or on
interruptions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.contracts.cell import Protocol, Sampler
from tlbench.contracts.record import FitResult
from tlbench.contracts.space import Choice, Domain, Space, Value, existing, is_complete, is_fixed
from tlbench.running.search import pruners
from tlbench.running.search.grid import grid
from tlbench.running.search.lag_window import LagWindow
from tlbench.running.search.repeats import TriedSettings, number_of_settings, repeated
from tlbench.running.search.rungs import brackets_of
from tlbench.running.search.trial_outcomes import TrialOutcome, outcome_of

if TYPE_CHECKING:
    from tlbench.running.search.samplers import ParamsSampler


@dataclass(frozen=True)
class Trial:
    """A trial's number and params."""

    number: int
    params: dict[str, Value]
    result: FitResult | None = None
    """The result of an earlier trial with the same params, which is this trial's too; None if it has to be fitted."""
    stop_part: int | None = None
    """The part of a whole fit after which it stops (`Fit.stop_part`); None for a whole fit."""


class Search:
    """Proposes trials in order of their numbers, each as soon as the results that it may depend on are known.

    A search of one trial uses TPE and never prunes, whatever sampler and pruner the protocol names: its identity does
    not include them, and there are no other trials to compare with. If no hyperparameter is free, there is only one
    trial.

    A trial with the params of an earlier one is not fitted: it has the earlier trial's result, and waits for it while
    that trial runs. A pruned fit answers only a trial that would be pruned too, because the thresholds of another
    trial, for example in another bracket, may let it go on. A search that has tried every setting of a finite space
    ends there.

    With a pruner by rungs, these are the first fits of the trials; `RungSearch` adds the longer ones.
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
        """Starts a search, or resumes one.

        Args:
            identity: The cell's `search_id`; searches with the same identity propose the same trials.
            protocol: The number of trials, the sampler, the pruner and the lag.
            space: The search space; fixed values in it are part of all params.
            defaults: Values within the space that the first trial uses; hyperparameters without one are sampled. A grid
                ignores the defaults.
            sign: 1.0 where greater scores are better, -1.0 where smaller ones are.
            finished: Results of trials that earlier processes finished, by number; numbers may be missing. These trials
                are not proposed again and keep their params, even if different ones would be sampled now. A trial whose
                params are outside the space keeps its number, but no later trial learns from it.
        """
        self._identity, self._protocol, self._space, self._sign = identity, protocol, space, sign
        self._free = {name: domain for name, domain in space.items() if not is_fixed(domain)}
        self._fixed = {name: _fixed_value(domain) for name, domain in space.items() if is_fixed(domain)}
        self._first = {name: value for name, value in defaults.items() if name in self._free}
        self._sampler_kind: Sampler = protocol.sampler if protocol.is_searched else "tpe"
        self._rule = pruners.pruning_rule(protocol.pruner, protocol.max_steps)
        self._grid = grid(self._free, protocol.trials) if self._sampler_kind == "grid" else []
        self.total = len(self._grid) if self._grid else protocol.trials if self._free else 1
        """The number of trials; it falls when the space turns out to be used up."""
        # Random and grid trials without a pruner depend on no results, so they can all run at the same time.
        self._depends_on_results = self._sampler_kind in {"tpe", "gp"} or self._rule is not None
        self._window = LagWindow(protocol.lag, protocol.max_steps)
        self._sampler: ParamsSampler | None = None
        self._params: dict[int, dict[str, Value]] = {}
        self._results: dict[int, FitResult] = {}
        self._outcomes: dict[int, TrialOutcome] = {}
        self._thresholds: dict[int, dict[int, float]] = {}
        self._tried = TriedSettings(self._free)
        self._waiting: dict[int, int] = {}
        """Trials whose params an earlier trial has that is not finished yet, with the number of that trial."""
        self._next = 0
        self._finished_in_order = 0
        """How many trials, counted from the first one, have finished without a gap."""
        self._added_to_rule = 0
        is_by_rungs = protocol.is_searched and bool(self._free)
        settings = min(self.total, number_of_settings(self._free) or self.total)
        self.brackets = brackets_of(protocol.pruner, settings, protocol.max_steps) if is_by_rungs else None
        """The lengths of the trials' fits; None without a pruner by rungs."""
        self.restore(finished or {})

    def restore(self, finished: Mapping[int, FitResult]) -> None:
        """Adds the results of earlier processes, as in the constructor."""
        for number, result in finished.items():
            if 0 <= number < self.total:
                self._params[number] = result.params
                self._add_result(number, result)
        self._skip_finished()

    def params(self, number: int) -> dict[str, Value]:
        """Returns the params of a trial that was asked for."""
        return self._params[number]

    def ask(self) -> Trial | None:
        """Returns the next trial, or None if results have to come first or no trial is left.

        A trial that has a result already is not fitted; the caller tells the search this result.
        """
        while (trial := self._waiting_trial()) is None:
            number = self._next
            params = None if self.is_exhausted else self._propose(number)
            if params is None:
                return None
            before = self._tried_before(number, params)
            self._skip_finished()
            if before is None:
                return self._to_fit(number)
            self._waiting[number] = before
        return trial

    def _propose(self, number: int) -> dict[str, Value] | None:
        """Returns a trial's params, or None until earlier results are known."""
        visible = (
            self._window.visible(number, self._outcomes, self._finished_in_order) if self._depends_on_results else 0
        )
        if visible is None:
            return None
        sampled = self._sample(number, visible)
        # In the order of the space, which is the order of columns and of identities.
        params = existing(self._space, {**self._fixed, **sampled})
        if self._rule is not None:
            # The rule gets trials in order of their numbers, and only those in the lag window, so that thresholds do
            # not depend on which fit happened to finish first.
            for other in range(self._added_to_rule, visible):
                self._rule.add(other, self._outcomes[other])
            self._added_to_rule = visible
            self._thresholds[number] = self._rule.thresholds(number)
        self._params[number] = params
        return params

    def _waiting_trial(self) -> Trial | None:
        """Returns a trial that waited for an earlier one with the same params, once that one is finished."""
        for number, before in self._waiting.items():
            if before in self._results:
                del self._waiting[number]
                params, result = self._params[number], self._results[before]
                if self._answers(before, number):
                    return Trial(number, params, repeated(result, number, params))
                return self._to_fit(number)
        return None

    def _to_fit(self, number: int) -> Trial:
        part = self.brackets.first_part(number) if self.brackets else None
        return Trial(number, self._params[number], stop_part=part)

    def _answers(self, before: int, number: int) -> bool:
        """Returns whether the result of an earlier trial with the same params is that of this trial too."""
        result = self._results[before]
        if self.brackets is not None:
            # In another bracket the fit stops at another length.
            return result.stop_part == self.brackets.first_part(number)
        return self._rule is None or result.status != "pruned" or self._is_pruned(number, before)

    def _is_pruned(self, number: int, before: int) -> bool:
        """Returns whether a trial would be pruned if it had the learning curve of an earlier one."""
        best = -math.inf
        for step, score in self._outcomes[before].curve:
            best = max(best, score)
            if pruners.should_prune(self._thresholds[number], step, best):
                return True
        return False

    def _tried_before(self, number: int, params: dict[str, Value]) -> int | None:
        """Registers the params of a trial and moves on to the next number.

        Returns the number of the last earlier trial with the same params, or None. If the trial completes a finite
        space, the search ends with it.
        """
        before = self._tried.add(number, params)
        self._next = number + 1
        if self._tried.is_used_up:
            self.total = min(self.total, self._next)
        return before

    def tell(self, number: int, result: FitResult) -> None:
        """Adds the result of a trial; trials may finish in any order, and a second result of a trial is ignored.

        Raises:
            ValueError: The trial was not asked for, or the result has different params.
        """
        if number not in self._params:
            raise ValueError(f"trial {number} was not asked for")
        if number in self._results:
            return
        if result.params != self._params[number]:
            raise ValueError(f"trial {number} has params {self._params[number]}, and its result {result.params}")
        self._add_result(number, result)

    @property
    def is_exhausted(self) -> bool:
        """Whether there is no further trial to ask for."""
        return self._next >= self.total

    @property
    def is_complete(self) -> bool:
        """Whether all trials have results."""
        return self._finished_in_order >= self.total

    @property
    def first_unfinished(self) -> int:
        """The lowest number of a trial without a result."""
        return self._finished_in_order

    def stop_below(self, number: int) -> dict[int, float]:
        """Returns, by step, the score below which this trial is pruned; empty without a pruner.

        Scores are signed so that greater is better: `pruners.should_prune` compares them with the fit's best score so
        far, which must be signed in the same way.
        """
        return self._thresholds.get(number, {})

    def export(self, path: Path, results: Mapping[int, FitResult] | None = None) -> None:
        """Writes the search to a SQLite file as an Optuna study, for dashboards, with these results or its own."""
        from tlbench.running.search.study_export import export

        shown = self._results if results is None else results
        rows = [(self._params.get(number), shown.get(number)) for number in range(max(self._params, default=-1) + 1)]
        export(path, self._identity, self._sign, self._free, rows)

    def _sample(self, number: int, visible: int) -> dict[str, Value]:
        if self._sampler_kind == "grid":
            return self._grid[number]
        if not self._free:
            return {}
        if self.total == 1 and is_complete(self._free, self._first):
            # One trial with all params given: nothing to sample, and so no Optuna to import.
            return existing(self._free, self._first)
        if self._sampler is None:
            # Imported late: a grid, or a search that has all its results, needs no Optuna.
            from tlbench.running.search.samplers import ParamsSampler

            self._sampler = ParamsSampler(self._sampler_kind, self._identity, self._free)
        fixed = self._first if number == 0 else {}
        return self._sampler.sample(number, visible, fixed, self._params, self._outcomes)

    def _add_result(self, number: int, result: FitResult) -> None:
        outcome = outcome_of(result, self._sign)
        if self.brackets is not None and len(self.brackets.all) == 1 and outcome.state == "pruned" and outcome.curve:
            # All first fits have this length, so their scores can be compared like those of whole fits.
            outcome = TrialOutcome("complete", outcome.curve[-1][1], outcome.curve)
        self._results[number], self._outcomes[number] = result, outcome
        while self._finished_in_order in self._results:
            self._finished_in_order += 1

    def _skip_finished(self) -> None:
        while self._next < self.total and self._next in self._results:
            self._tried_before(self._next, self._params[self._next])


def _fixed_value(domain: Domain) -> Value:
    return domain.values[0] if isinstance(domain, Choice) else domain.low
