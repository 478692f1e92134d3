"""The best way to adapt a backbone to a task within a time: searches, runs the finalists and returns the answer."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol as Interface

import msgspec

from tlbench.catalog.catalog import Catalog, Found
from tlbench.contracts.cell import Plan, Protocol
from tlbench.contracts.errors import PluginError, StoreError, UsageError
from tlbench.contracts.executor import Executor
from tlbench.contracts.record import Record
from tlbench.contracts.task import Task
from tlbench.contracts.untrusted.regular_files import refuse_unsafe_tree
from tlbench.finding.answering.answer import FindAnswer
from tlbench.finding.answering.build_answer import EndedSearch, build_answer
from tlbench.finding.answering.constant_answer import NO_SCORE, best_constant_setting
from tlbench.finding.backbone_latency import SHARE, backbone_latencies, latency_text, too_slow
from tlbench.finding.candidates.all_candidates import Candidates, Entry, all_candidates
from tlbench.finding.candidates.earlier_ranks import earlier_priors, save_ranks, with_priors
from tlbench.finding.clock import Clock
from tlbench.finding.costs.budgeted_protocol import asked_protocol, budgeted_protocol
from tlbench.finding.costs.corrected_costs import Costs
from tlbench.finding.costs.cost_history import known_factors, save_factors
from tlbench.finding.costs.data_shape import DataShape, data_shape
from tlbench.finding.costs.fit_seconds import Speed
from tlbench.finding.driver import Driver, SearchSetup
from tlbench.finding.finals.final_runs import FinalRuns, margin_seconds
from tlbench.finding.finals.finalists import Finalist, Finals, choose_finalists, contenders
from tlbench.finding.finals.fold_scores import FoldComparison
from tlbench.finding.finals.ties import Contender
from tlbench.finding.finals.winner_latency import WinnerLatency, latency_reserve
from tlbench.finding.find_folder import FindFolder, SearchSetting, StoredFit
from tlbench.finding.request import FindRequest, StopCondition, read_condition
from tlbench.planning.space_context import task_info
from tlbench.results.records.store import Store
from tlbench.running.cells.attempt import OrderDefaults
from tlbench.running.run import Settings, order_defaults, started_executor
from tlbench.running.splits import Splits


class Watcher(Interface):
    """What is told of a search while it goes on; all methods are called from the thread of the search."""

    def begins(self, driver: Driver, task: str) -> None:
        """Called once before the first fit."""

    def fitted(self, fit: StoredFit, entry: Entry) -> None:
        """Called with each fit that has ended."""

    def finals(self, finalist: Finalist, entry: Entry) -> None:
        """Called with each finalist before its final fits."""


@dataclass(frozen=True)
class Asked:
    """A request whose names are looked up, and where its search is carried out."""

    request: FindRequest
    task: Found[Task]
    catalog: Catalog
    settings: Settings
    out: Path
    began: float = field(default_factory=time.monotonic)
    """The time, as `time.monotonic` counts, from which the budget counts."""

    @property
    def until(self) -> StopCondition | None:
        """The condition that ends the search early."""
        return read_condition(self.request.until, self.catalog.metric(self.task.item.metrics[0]))


def find(asked: Asked, watcher: Watcher, afresh: bool = False) -> FindAnswer:
    """Returns the answer of a search; one that was stopped goes on, and one that has ended is not repeated.

    Args:
        asked: What was asked.
        watcher: Is told what happens.
        afresh: Whether to drop what earlier processes did for this request.

    Raises:
        UsageError: The task, a name, a filter or the condition cannot be used, or another process works on the search.
        StoreError: The folder cannot be written.
    """
    asked.request.check()
    until, policy = asked.until, asked.catalog.policy(asked.request.policy).item
    if missing := asked.task.item.missing():
        raise UsageError(missing)
    protocol = asked_protocol(asked.request)
    # All mistakes in the request are found before the folder is created.
    first = all_candidates(asked.request, asked.task, protocol, asked.catalog, asked.settings.room)
    splits = Splits(asked.task.item)
    try:
        shape = data_shape(splits, protocol)
    except PluginError as error:
        raise UsageError(str(error)) from error
    store = Store.create(asked.out)
    place = asked.out / "find" / asked.request.id
    refuse_unsafe_tree(place)
    folder = FindFolder(place)
    lease = folder.lease()
    if lease is None:
        raise StoreError(f"{folder.root}: another process works on this search; wait for it, or choose another --out")
    try:
        if afresh:
            _drop(folder)
        before = folder.setting()
        if before is not None and before.data != shape.fingerprint:
            raise UsageError(f"{folder.root}: the data have changed since this search began: start over with --fresh")
        if (answer := folder.answer(FindAnswer)) is not None:
            return answer
        folder.save_request(asked.request)
        clock = Clock(folder.clock, asked.began)
        plan = Plan("find", tuple(entry.cell for entry in first.entries), (), ())
        with started_executor(plan, store, asked.catalog, asked.settings) as executor, clock.beating():
            worker = _Finder(asked, store, folder, clock, executor, splits, shape, watcher)
            candidates, costs = worker.prepare(first, protocol)
            rows = costs.shape.validation_rows
            metric = asked.catalog.metric(asked.task.item.metrics[0])
            setup = SearchSetup(
                candidates.entries, policy, metric, asked.request.seconds, rows, asked.request.seed, until
            )
            answer = worker.work(setup, candidates, costs)
        folder.save_answer(msgspec.json.encode(answer))
        save_factors(worker.place, costs.factors())
        save_ranks(worker.scores)
        return answer
    finally:
        lease.release()


@dataclass(frozen=True)
class _Finder:
    """The steps of one search, once everything that can be wrong with the request is checked."""

    asked: Asked
    store: Store
    folder: FindFolder
    clock: Clock
    executor: Executor
    splits: Splits
    shape: DataShape
    watcher: Watcher
    scores: dict[str, float] = field(default_factory=dict)
    """The best score of each candidate with a backbone, by title, once the search has ended."""

    @property
    def place(self) -> str:
        """Device and threads of the workers, such as `cpu:1`."""
        capacity = self.executor.capacity()
        return f"{capacity.device}:{capacity.cores}"

    def prepare(self, first: Candidates, protocol: Protocol) -> tuple[Candidates, Costs]:
        """Returns the candidates under the protocol that suits the budget, and their costs.

        Raises:
            UsageError: The candidates are not those with which the search began.
        """
        capacity, asked = self.executor.capacity(), self.asked
        speed = Speed(capacity.cores, capacity.device != "cpu")
        known = known_factors(self.place)
        refused = self._too_slow(first)
        candidates = first
        if refused:
            candidates = self._candidates(protocol, refused)
        stored = self.folder.setting()
        if stored is not None:
            fixed = stored.protocol
        else:
            free = Costs(candidates.entries, self.shape, speed, protocol.max_steps, known)
            fixed = budgeted_protocol(asked.request, free, max(1, capacity.workers))
        if fixed != protocol:
            candidates = self._candidates(fixed, refused)
        ids = tuple(entry.cell.id for entry in candidates.entries)
        if stored is None:
            metric = asked.catalog.metric(asked.task.item.metrics[0])
            stored = SearchSetting(
                fixed, ids, self.shape.fingerprint, earlier_priors(candidates.entries),
                tuple(entry.title for entry in candidates.entries), metric.name, metric.greater_is_better,
            )  # fmt: skip
            self.folder.save_setting(stored)
        elif stored.candidates != ids:
            raise UsageError(
                f"{self.folder.root}: this search began with other backbones or strategies than are installed now:"
                " start over with --fresh"
            )
        candidates = with_priors(candidates, stored.priors)
        shape = self.shape if fixed == protocol else data_shape(self.splits, fixed)
        anew = shape.train_rows < shape.all_rows
        return candidates, Costs(candidates.entries, shape, speed, fixed.max_steps, known, anew)

    def _candidates(self, protocol: Protocol, refused: dict[str, str]) -> Candidates:
        asked = self.asked
        return all_candidates(asked.request, asked.task, protocol, asked.catalog, asked.settings.room, refused)

    def _too_slow(self, first: Candidates) -> dict[str, str]:
        """Returns the reasons against backbones whose latency is above the limit; measures nothing without one."""
        limit = self.asked.request.max_latency_ms
        if limit is None:
            return {}
        defaults = order_defaults(self.executor.capacity())
        return too_slow(
            backbone_latencies(first.entries, self.folder, self.executor, defaults, self._measuring_left), limit
        )

    def _measuring_left(self) -> float:
        return SHARE * self.asked.request.seconds - self.clock.elapsed

    def work(self, setup: SearchSetup, candidates: Candidates, costs: Costs) -> FindAnswer:
        """Searches, runs the finalists and returns the answer."""
        entries, metric = setup.entries, setup.metric
        defaults = order_defaults(self.executor.capacity())
        driver = Driver(setup, self.folder, self.clock, costs, self.executor, defaults, self.watcher.fitted)
        self.watcher.begins(driver, self.asked.task.ref.name)
        finals = self.folder.finals(Finals)
        if finals is None:
            driver.run()
        positive = task_info(self.asked.task.item).positive
        found = contenders(driver.fits, entries, self.folder, metric, positive)
        backbones = [one for one in found if entries[one.candidate].backbone is not None]
        self.scores.update({entries[one.candidate].title: one.score for one in backbones})
        if finals is None and found:
            finals = self._chosen(driver, found, costs, setup)
        records, constant, slowness = {}, None, ""
        if finals is not None:
            runs = FinalRuns(
                self.store, self.asked.catalog, self.executor, self.asked.settings, self.folder, self.clock,
                self._for_fits, entries, lambda one: self.watcher.finals(one, entries[one.candidate]), costs,
            )  # fmt: skip
            records = runs.run(finals)
            slowness = self._winner_latency(finals, records, setup, defaults)
        else:
            constant = best_constant_setting(
                self.asked.task.item, self.splits, entries[0].cell.protocol.amount, metric, positive, NO_SCORE
            )
        return build_answer(
            EndedSearch(
                self.asked.request,
                candidates,
                driver.fits,
                found,
                finals,
                records,
                metric,
                costs,
                self.clock.elapsed,
                driver.search_ends,
                costs.steps,
                self.store,
                driver.ended_because,
                {name: latency_text(one) for name, one in self.folder.latencies().items()},
                constant,
                slowness,
            )
        )

    @property
    def _for_fits(self) -> float:
        """The seconds of the budget, without those that are kept for measuring the winner."""
        request = self.asked.request
        return request.seconds - latency_reserve(request.seconds, request.max_latency_ms)

    def _winner_latency(
        self, finals: Finals, records: Mapping[int, Record], setup: SearchSetup, defaults: OrderDefaults
    ) -> str:
        """Returns a note on how long the winner's saved model takes to predict; empty without a limit."""
        winner, limit = finals.finalists[0], self.asked.request.max_latency_ms
        record = records.get(winner.fit)
        if limit is None or record is None or record.status != "ok":
            return ""
        latency = WinnerLatency(
            self.store, self.folder, self.executor, defaults,
            lambda: setup.seconds - self.clock.elapsed, limit,
        )  # fmt: skip
        return latency.note(record, setup.entries[winner.candidate], setup.metric.greater_is_better)

    def _chosen(self, driver: Driver, found: list[Contender], costs: Costs, setup: SearchSetup) -> Finals:
        elapsed = self.clock.elapsed
        left = self._for_fits - margin_seconds(setup.seconds) - elapsed
        workers = max(1, self.executor.capacity().workers)
        folds = FoldComparison(
            setup.entries, driver.fits, self.folder, self.clock, self.executor,
            order_defaults(self.executor.capacity()), setup.metric, costs,
        ).scores(found, left)  # fmt: skip
        left += elapsed - self.clock.elapsed
        finals = choose_finalists(
            found, driver.fits, setup.entries, setup.metric, costs, left, workers, elapsed, driver.ended_because, folds
        )
        # The seal: from here on nothing that the test split shows can change what was chosen.
        self.folder.save_finals(msgspec.json.encode(finals))
        return finals


def _drop(folder: FindFolder) -> None:
    """Removes all files of a search but its lock."""
    for path in folder.root.iterdir():
        if path.name == "fits":
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != "lock":
            path.unlink(missing_ok=True)
    (folder.root / "fits").mkdir(exist_ok=True)
