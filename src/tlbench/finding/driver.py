"""The search of `tlbench find`: asks the policy for fits, has an executor carry them out, and stores what they give.

Its state is what the folder of the search holds, so that a search that was killed goes on with the time that is left.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from tlbench.contracts.errors import StoreError, UsageError
from tlbench.contracts.executor import Executor, Fit, FitOrder, Handle, OutOfTime, WorkerLost
from tlbench.contracts.metric import Metric
from tlbench.contracts.policies.policy import Outcome, Policy, Proposal, Situation
from tlbench.finding.candidates.all_candidates import Entry
from tlbench.finding.clock import Clock
from tlbench.finding.costs.corrected_costs import Costs
from tlbench.finding.endings import CONDITION_MET, NOTHING_FITS, NOTHING_LEFT, TIME_IS_UP
from tlbench.finding.find_folder import FindFolder, StoredFit, StoredOutcome, StoredProposal, saved_folder
from tlbench.finding.fit_outcomes import outcomes_of, stored_outcome
from tlbench.finding.request import StopCondition
from tlbench.finding.reserve import late_seconds, reserved_seconds
from tlbench.running.cells.attempt import OrderDefaults
from tlbench.running.cells.cell_folder import CellFolder
from tlbench.running.executors.time_alarm import Alarm, alarm_after

ATTEMPTS = 2
"""How often a fit is tried whose worker was lost."""
WAIT_SECONDS = 0.5
TIMEOUT = "timeout"
_CUT_OFF = "cut off when the time for the search was up"
OnFit = Callable[[StoredFit, Entry], None]


@dataclass(frozen=True)
class SearchSetup:
    """The inputs of a search: candidates, policy, metric and budget."""

    entries: tuple[Entry, ...]
    policy: Policy
    metric: Metric
    seconds: float
    """The whole budget."""
    validation_rows: int
    seed: int = 0
    until: StopCondition | None = None


@dataclass
class RunningFit:
    """A fit that a worker is carrying out."""

    number: int
    proposed: StoredProposal
    began: float
    attempt: int = 1
    is_cancelled: bool = False


class Driver:
    """Carries out one search."""

    def __init__(
        self,
        setup: SearchSetup,
        folder: FindFolder,
        clock: Clock,
        costs: Costs,
        executor: Executor,
        defaults: OrderDefaults,
        on_fit: OnFit = lambda fit, entry: None,
    ) -> None:
        """Reads the finished fits of earlier processes.

        Args:
            setup: What the search is carried out with.
            folder: The folder of the search.
            clock: Counts the seconds of the budget.
            costs: The expected seconds of fits, which the search corrects.
            executor: Carries out the fits.
            defaults: The fields that all orders share.
            on_fit: Called with each fit that has ended, once it is stored.
        """
        self.setup, self.clock, self.costs = setup, clock, costs
        self._folder, self._executor, self._defaults, self._on_fit = folder, executor, defaults, on_fit
        self.fits = folder.fits()
        """All proposals so far, with the outcomes of those that have ended."""
        self._lost = [one.number for one in self.fits if one.outcome is None]
        """Numbers of the fits that a kill interrupted: they are run before all others."""
        self._running: dict[Handle, RunningFit] = {}
        self._submitting: RunningFit | None = None
        self._start_seconds = 0.0
        """The longest time that an order took to reach a worker: the first one waits for the workers' imports."""
        self.ended_because = ""
        """Why the search ended, in a few words."""
        for one in self.fits:
            if one.outcome is not None:
                self._learn(one.proposed, one.outcome)

    @property
    def _workers(self) -> int:
        """Number of workers now: machines may join and leave during a search."""
        return max(1, self._executor.capacity().workers)

    @property
    def running(self) -> list[RunningFit]:
        """The fits that workers are carrying out; also for other threads."""
        sent = [*self._running.values()]
        return [*sent, self._submitting] if self._submitting is not None else sent

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcomes as the policy sees them."""
        return outcomes_of(list(self.fits), self.setup.metric)

    @property
    def search_ends(self) -> float:
        """The time, on the clock, at which the search has to end so that the finals fit into the budget."""
        outcomes = self.outcomes
        best = _best(outcomes)
        total = self.setup.seconds
        if best is None:
            return total + late_seconds(total)
        left = total - self.clock.elapsed
        is_saved = self._is_saved(best)
        return total - reserved_seconds(
            self.costs, outcomes, best, total, left, self._workers, is_saved, self._start_seconds
        )

    def _is_saved(self, best: Outcome) -> bool:
        """Returns whether the weights of the best fit are on disk."""
        return any(saved_folder(self._folder.fit_folder(one.number)).is_dir() for one in self.fits if _gave(one, best))

    def run(self) -> None:
        """Searches until the policy has no further fit, the time is up or the condition is met.

        Raises:
            StoreError: The disk is full.
            UsageError: The policy or the executor fails.
        """
        while True:
            if not self._is_over():
                self._submit_fits()
            if not self._running:
                return
            left = max(0.0, self.search_ends - self.clock.elapsed)
            for handle in self._executor.wait(list(self._running), min(WAIT_SECONDS, left + 0.05)):
                self._collect(handle)
            if self._is_over():
                for handle, one in self._running.items():
                    if not one.is_cancelled:
                        one.is_cancelled = True
                        handle.cancel()

    def _is_over(self) -> bool:
        until, best = self.setup.until, _best(self.outcomes)
        if until is not None and best is not None and best.score is not None:
            sign = 1.0 if self.setup.metric.greater_is_better else -1.0
            if until.holds(sign * best.score):
                self.ended_because = CONDITION_MET
                return True
        if self.clock.elapsed >= self.search_ends:
            self.ended_because = TIME_IS_UP
            return True
        return False

    def _submit_fits(self) -> None:
        while len(self._running) < self._workers and not self._is_over():
            if self._lost:
                number = self._lost.pop(0)
                self._submit(number, self.fits[number].proposed)
                continue
            proposal = self._next_proposal()
            if proposal is None:
                tried = {one.proposed.candidate for one in self.fits}
                self.ended_because = NOTHING_FITS if len(tried) < len(self.setup.entries) else NOTHING_LEFT
                return
            load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
            stored = StoredProposal(
                proposal.candidate, dict(proposal.params), proposal.part, proposal.reason, self.costs(proposal), load
            )
            number = len(self.fits)
            self._folder.save_proposal(number, stored)
            self.fits.append(StoredFit(number, stored))
            self._submit(number, stored)

    def _next_proposal(self) -> Proposal | None:
        situation = self._situation()
        name = self.setup.policy.name
        try:
            proposal = self.setup.policy.next(situation)
        except (Exception, SystemExit) as error:
            raise UsageError(f"the policy {name} failed: {type(error).__name__}: {error}") from error
        if proposal is None:
            return None
        if not 0 <= proposal.candidate < len(self.setup.entries):
            raise UsageError(f"the policy {name} proposed candidate {proposal.candidate}, which does not exist")
        if not situation.is_new(proposal):
            raise UsageError(f"the policy {name} proposed a fit that is finished or running: {proposal}")
        return proposal

    def _situation(self) -> Situation:
        ends, elapsed = self.search_ends, self.clock.elapsed
        left = max(0.0, ends - elapsed)
        running = list(self._running.values())
        rest = sum(max(0.0, self.costs(one.proposed.proposal) - (elapsed - one.began)) for one in running)
        return Situation(
            tuple(entry.candidate for entry in self.setup.entries),
            tuple(self.outcomes),
            tuple(one.proposed.proposal for one in running),
            ends * self._workers,
            max(0.0, left * self._workers - rest),
            self.costs,
            self.setup.validation_rows,
            self._workers,
            self.setup.seed,
            left,
        )

    def _submit(self, number: int, proposed: StoredProposal, attempt: int = 1) -> None:
        entry = self.setup.entries[proposed.candidate]
        cell, best = entry.fixed(proposed.params), _best(self.outcomes)
        sign = 1.0 if self.setup.metric.greater_is_better else -1.0
        order = FitOrder(
            cell,
            "search",
            (Fit(0, cell.protocol.seeds[0], proposed.params, stop_part=proposed.part),),
            str(self._folder.fit_folder(number).resolve()),
            attempt=attempt,
            device=self._defaults.device,
            precision=self._defaults.precision(cell.protocol.precision),
            threads=self._defaults.threads,
            environment=dict(self._defaults.environment),
            imports=entry.imports,
            keep_above=None if best is None or best.score is None else sign * best.score,
            seconds=max(0.5, self.search_ends - self.clock.elapsed),
            keep_answers=True,
        )
        self._submitting = one = RunningFit(number, proposed, self.clock.elapsed, attempt)
        # An isolated executor may start its first worker within `submit`, which takes seconds that are not the fit's,
        # and may take longer than the search has.
        is_isolated = self._executor.capacity().isolated
        try:
            with alarm_after(self.search_ends - self.clock.elapsed if is_isolated else None):
                handle = self._executor.submit(order)
        except Alarm:
            self._take(one, StoredOutcome(TIMEOUT, self.clock.elapsed - one.began, reason="no worker started in time"))
            return
        finally:
            self._submitting = None
        if is_isolated:
            now = self.clock.elapsed
            self._start_seconds = max(self._start_seconds, now - one.began)
            one.began = now
        self._running[handle] = one

    def _collect(self, handle: Handle) -> None:
        one = self._running.pop(handle, None)
        if one is None:
            return  # an executor may return a handle twice
        seconds = self.clock.elapsed - one.began
        folder = self._folder.fit_folder(one.number)
        try:
            answer = handle.result()
        except OutOfTime:
            self._take(one, StoredOutcome(TIMEOUT, seconds, reason=_CUT_OFF))
        except WorkerLost as lost:
            if one.is_cancelled:
                self._take(one, StoredOutcome(TIMEOUT, seconds, reason=_CUT_OFF))
            elif one.attempt < ATTEMPTS and not lost.oom:
                self._submit(one.number, one.proposed, one.attempt + 1)
            else:
                status = "oom" if lost.oom else "crashed"
                self._take(one, StoredOutcome(status, seconds, reason=f"the worker {lost}"))
        else:
            if answer.ends_run:
                raise StoreError(answer.error)
            self._take(one, stored_outcome(answer, one.proposed.part, folder, seconds))

    def _take(self, one: RunningFit, outcome: StoredOutcome) -> None:
        before = _best(self.outcomes)
        self._folder.save_outcome(one.number, outcome)
        self.fits[one.number] = fit = StoredFit(one.number, one.proposed, outcome)
        self._learn(one.proposed, outcome)
        self._drop_weights(before)
        self._on_fit(fit, self.setup.entries[one.proposed.candidate])

    def _learn(self, proposed: StoredProposal, outcome: StoredOutcome) -> None:
        """Corrects the expected costs by those of a fit that did its work."""
        if outcome.status in ("ok", "pruned"):
            encoding = outcome.fit.encode_paid_seconds if outcome.fit else 0.0
            self.costs.add(proposed.proposal, outcome.seconds, proposed.expected_seconds, encoding)

    def _drop_weights(self, before: Outcome | None) -> None:
        """Removes saved weights of all fits but the best."""
        best = _best(self.outcomes)
        if best == before and best is not None:
            return
        for fit in self.fits:
            if fit.outcome is not None and (best is None or not _gave(fit, best)):
                CellFolder(self._folder.fit_folder(fit.number)).drop_saved()


def _gave(fit: StoredFit, outcome: Outcome) -> bool:
    """Returns whether a stored fit is the whole one of an outcome; it may have been meant to stop."""
    is_whole = fit.outcome is not None and fit.outcome.ran_whole
    same = (fit.proposed.candidate, fit.proposed.params) == (outcome.proposal.candidate, dict(outcome.proposal.params))
    return is_whole and same


def _best(outcomes: list[Outcome]) -> Outcome | None:
    """Returns the best fit of full length, as `Situation.best` does."""
    return Situation((), outcomes, (), 0.0, 0.0, lambda proposal: 0.0, 0).best
