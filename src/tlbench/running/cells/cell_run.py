"""One open cell as a state machine: it decides which orders come next and takes in their results.

    searching -> frozen -> scoring -> recorded

It runs in the driver, imports no torch and leaves all fitting to workers. Every result is written to the cell's folder
before the next step, so that a run that is killed at any moment continues where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Any

import msgspec

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.executor import Fit, FitOrder, OrderResult, Purpose
from tlbench.contracts.record import FitResult, Provenance, Record, Status
from tlbench.running.cells.attempt import Attempt, OrderDefaults
from tlbench.running.cells.cell_folder import CellFolder, Lease, Winner
from tlbench.running.cells.cell_record import CellFits, build_record, with_measurements
from tlbench.running.cells.cell_search import CellSearch
from tlbench.running.cells.failures import CellFailed, failure_of, failure_record, raise_if_disk_full
from tlbench.running.cells.final_fits import FinalFits
from tlbench.running.cells.hyperparameters import check_definition, expected_provenance, only_params, settings_of
from tlbench.running.cells.orders_in_flight import OrdersInFlight, repeated_order, results_of
from tlbench.running.cells.reused_fits import ReusedFits, has_same_data
from tlbench.running.cells.search_time import next_seconds, seconds_within_limit
from tlbench.running.memory.oom_ladder import OomLadder
from tlbench.running.search.futility import futility_of
from tlbench.running.sharing.claims_database import DatabaseLost
from tlbench.running.sharing.shared_studies import CellTaken


class CellRun:
    """A cell from the moment its lease is taken until it has a record."""

    def __init__(
        self, attempt: Attempt, catalog: Catalog, defaults: OrderDefaults, folder: CellFolder, lease: Lease
    ) -> None:
        self.attempt, self.cell = attempt, attempt.cell
        self.record: Record | None = folder.record(self.cell.id, attempt.number)
        """The cell's finished record, ready to be committed; None until the cell has ended."""
        self._catalog, self._defaults, self._folder, self._lease = catalog, defaults, folder, lease
        self._precision = defaults.precision(self.cell.protocol.precision)
        self._energy_joules: float | None = None
        self._queue: list[FitOrder] = []
        self._in_flight = OrdersInFlight(folder.seconds_spent())
        self._unverified: list[Provenance] = []
        """Those of earlier processes' fits, until the first result shows whether the data are still the same."""
        self._search: CellSearch | None = None
        self._finals: FinalFits | None = None
        self._is_scoring = False
        self._shared = defaults.sharing.cell(self.cell.id, attempt.number) if defaults.sharing else None
        self.is_taken = False
        """Whether another driver ends the cell."""
        self._ladder = OomLadder(None)
        # A process may have died between finishing the record and committing it; then there is nothing left to run.
        if self.record is None:
            self._guarded(self._load)

    def seconds_left(self, purpose: Purpose) -> float | None:
        """Returns the seconds left for orders of a purpose; None without a limit, 0 for a search that has ended."""
        if purpose == "search" and self._finals is not None:
            return 0.0
        limit, seeds = self.cell.protocol.max_seconds, len(self.cell.protocol.seeds)
        if limit is None:
            return None
        trials = self._search.trials if purpose == "search" and self._search is not None else None
        return seconds_within_limit(limit, seeds, self._in_flight.seconds, trials)

    def next_order(self) -> FitOrder | None:
        """Returns the next order for a free worker, or None while the cell waits for results or has its record."""
        if self.record is None and not self._queue and not self.is_taken:
            self._guarded(self._fill_queue)
        if self.record is not None or not self._queue:
            return None
        self._in_flight.add(order := self._queue.pop(0))
        return order

    def before_submit(self, order: FitOrder) -> None:
        """Counts an order that opens the test split; called before it is submitted, so that none goes uncounted."""
        if order.purpose != "search":
            self._folder.count_test_read()

    def start_clock(self, order: FitOrder) -> None:
        """Starts the cell's clock for an order that is now carried out."""
        self._in_flight.start_clock(order)

    def tell(self, order: FitOrder, answer: OrderResult) -> None:
        """Takes in the result of an order; results that come after the end of the cell are ignored."""
        if self._is_needed(order):
            self._guarded(lambda: self._take_result(order, answer))

    def requeue(self, order: FitOrder) -> None:
        """Queues an order again after its worker was lost."""
        if self._is_needed(order):
            self._queue.append(repeated_order(order))

    def run_out_of_memory(self, order: FitOrder, reason: str) -> None:
        """Queues an order again that needs less memory, or ends the cell if nothing is left to try."""
        if again := self._ladder.again(order):
            if self._is_needed(order):
                self._queue += again
        else:
            self.fail("oom", f"{reason}: {self._ladder.text(order)}", order=order)

    def fail(self, status: Status, reason: str, trace: str = "", order: FitOrder | None = None) -> None:
        """Ends the cell without scores; does nothing if `order`, whose failure is the cause, is no longer needed."""
        if (order is None or self._is_needed(order)) and self.record is None:
            trials = self._search.trials if self._search else self._folder.trials()
            self._finish(failure_record(self.attempt, CellFailed(status, reason, trace), tuple(trials)))

    def run_out_of_time(self, order: FitOrder) -> None:
        """Ends the search, with the best trial as the winner, or without one the cell: the order has no time left."""
        if not self._is_needed(order):
            return
        if order.purpose == "search" and self._search is not None and self._search.best is not None:
            self._guarded(self._end_search)
        else:
            self.fail("timeout", f"stopped after {self.cell.protocol.max_seconds:g} s (max_seconds)")

    def close(self) -> None:
        """Releases the cell's lease."""
        if self.record is not None:
            # Saved weights are needed only until the final fits are done.
            self._folder.drop_saved()
        else:
            with suppress(OSError):  # somebody may have deleted the folder
                self._folder.save_seconds()
        self._lease.release()

    def _load(self) -> None:
        """Restores the cell's state from the files in its folder."""
        self._folder.drop_unverifiable()
        self._folder.record_start(self.cell)
        self._settings = settings_of(self._catalog, self.cell)
        check_definition(self._folder, self.cell, self._catalog, self._settings, self.attempt.starts_over)
        self._unverified = self._folder.provenances()
        self._reused = ReusedFits(self.attempt, self._provenance, self._folder)
        self._futility = futility_of(self._catalog, self.cell, self._settings.info, self._settings.metric)
        winner = self._folder.winner()
        params = only_params(self._settings, self.cell.protocol)
        # With one possible choice of params there is no search: the first seed's final fit gives the validation score.
        if winner is None and params is not None:
            winner = Winner(params, self.cell.protocol.seeds, 0, None)
            self._folder.freeze(winner)
        # Loaded for a frozen cell too: its trials belong in the record.
        if params is None:
            self._search = CellSearch(self.cell, self._settings, self._folder, self._reused, self._shared)
        if self._shared is not None and (winner is not None or not self._search or not self._search.is_shared):
            self._shared.claim_end()
        # Trials that damage has taken are fitted again first, although the winner stays what it is.
        has_trials = self._search is None or self._search.is_complete
        if winner is not None and (has_trials or winner.trials_planned is not None):
            self._finals = FinalFits(winner, self._folder, self._reused, self._futility)
        self._ladder = OomLadder(self._settings.batch_rows, (*self._folder.trials(), *self._folder.finals()))

    def _restart(self) -> None:
        """Discards all finished work and starts over, because the data have changed since an earlier run."""
        self._folder.reset()
        self._search = self._finals = None
        # With nothing in flight, the results of orders that are still running are ignored when they come.
        self._in_flight.forget()
        self._queue, self._is_scoring = [], False
        self._load()

    def _fill_queue(self) -> None:
        """Queues the next orders for the cell's state; leaves the queue empty if the cell has to wait for results."""
        if self._finals is None:
            self._queue_trials()
        # The search may just have ended, so the final fits follow without another round.
        if self._finals is not None and not self._queue:
            self._queue_finals(self._finals)

    def _queue_trials(self) -> None:
        """State "searching": queues the next trials, or freezes the winner if there are none or no time is left."""
        search, left = self._search, self.seconds_left("search")
        assert search is not None
        needed = 0.0 if left is None else self._settings.batch_size * next_seconds(search.trials)
        is_out_of_time = search.best is not None and left is not None and left <= needed
        if not is_out_of_time and (fits := search.ask()):
            keep_above = search.best.validation if search.best else None
            self._queue_order("search", fits, keep_above=keep_above, stop_below=search.stop_below(fits))
        # Trials that are still running are waited for, until they too have no time left.
        elif search.is_complete or (is_out_of_time and not self._in_flight):
            self._end_search()

    def _end_search(self) -> None:
        """Freezes the best of the finished trials as the winner; trials that are still running are dropped."""
        assert self._search is not None
        if self._shared is not None:
            self._shared.claim_end()
        # The seal: the winner goes to disk before any order that opens the test split exists.
        winner = self._folder.winner() or self._search.winner()
        self._folder.freeze(winner)
        if self.cell.protocol.is_searched:
            self._search.export()
        self._queue.clear()
        self._finals = FinalFits(winner, self._folder, self._reused, self._futility)

    def _queue_finals(self, finals: FinalFits) -> None:
        """States "frozen" and "scoring": queues the final fits, and the scoring order once all of them have results."""
        in_one_pass = self._settings.batch_size > 1
        fits = finals.ask(in_one_pass)
        if fits and in_one_pass:
            self._queue_order("final", fits)
            return
        for fit in fits:
            # If the worker that fitted the winner in the search still has the predictor, nothing is fitted again.
            is_of_search = self._search is not None and fit.seed == self.cell.protocol.seeds[0]
            worker = self._search.predictor_workers.get(fit.trial, "") if self._search and is_of_search else ""
            self._queue_order("final", [fit], worker=worker)
        if finals.is_complete and not self._is_scoring:
            finals.check()
            # An order like others, because scoring reads the test split and needs heavy libraries.
            self._is_scoring = True
            self._queue_order("score", [finals.fit(seed) for seed in finals.seeds])

    def _queue_order(self, purpose: Any, fits: list[Fit], **more: Any) -> None:
        defaults = self._defaults
        order = FitOrder(
            self.cell, purpose, self._ladder.divided(fits), self.attempt.folder,
            device=defaults.device, precision=self._precision, threads=defaults.threads,
            devices=defaults.devices if self._settings.divides_batches else 1,
            environment=dict(defaults.environment), imports=self._settings.imports, keep_models=defaults.keep_models,
            **more,
        )  # fmt: skip
        self._queue.append(order)

    def _is_needed(self, order: FitOrder) -> bool:
        """Removes an order from those in flight and returns whether its result is still needed."""
        # A trial that ends after the winner is frozen comes too late.
        is_late = self.record is not None or (order.purpose == "search" and self._finals is not None)
        return self._in_flight.remove(order) and not is_late

    def _take_result(self, order: FitOrder, answer: OrderResult) -> None:
        made_with = msgspec.structs.replace(answer.made_with, code=self._code)
        answer = msgspec.structs.replace(answer, made_with=made_with)
        self._folder.add_memory(answer.memory)
        if answer.energy_joules is not None:
            self._energy_joules = (self._energy_joules or 0.0) + answer.energy_joules
        if answer.error:
            raise CellFailed("failed", answer.error, answer.traceback)
        # The first result shows whether fits still see the same data as those of an interrupted run.
        if not all(has_same_data(answer.made_with, one) for one in self._unverified):
            self._restart()
            return
        self._unverified = []
        self._folder.add_provenance(answer.made_with)
        if order.purpose == "score":
            return self._take_scores(answer)
        results = results_of(order, answer)
        if any(one.status == "oom" for one in results):
            if again := self._ladder.again(order):
                self._queue += again
                return
            results = self._ladder.explained(order, results)
        if order.purpose == "search":
            assert self._search is not None
            if answer.keeps:
                self._search.predictor_workers[order.fits[0].trial] = answer.worker
            self._search.tell(results)
        else:
            assert self._finals is not None
            self._finals.tell(results)
        self._folder.note_seconds(self._in_flight.seconds)
        self._catalog.fitted(order, results)

    def _take_scores(self, answer: OrderResult) -> None:
        assert self._finals is not None
        # Predictions on an earlier version of the test split cannot be scored: back to "frozen" for those seeds.
        if self._finals.drop_misfits(answer):
            self._is_scoring = False
            return
        trials: tuple[FitResult, ...] = tuple(self._search.trials) if self._search else ()
        fits = CellFits(trials, self._finals.results, self._finals.winner, self._finals.futility)
        record = build_record(self.attempt, self._settings, fits, answer)
        drivers = self._search.drivers() if self._search else {}
        self._finish(msgspec.structs.replace(record, seen_datasets=self._settings.seen_datasets, drivers=drivers))

    def _finish(self, record: Record) -> None:
        """State "recorded": adds the measurements of the whole cell to the record and stores it."""
        record = with_measurements(record, self._folder, self._in_flight.seconds, self._energy_joules)
        try:
            self._folder.save_record(record)
        except OSError as error:
            # If somebody has deleted the folder, the record is still committed.
            raise_if_disk_full(error, self.attempt.folder)
        self.record = record
        self._queue.clear()

    def _guarded(self, step: Callable[[], None]) -> None:
        """Calls a step, and ends the cell if the step raises.

        Raises:
            StoreError: The disk is full or read-only, which is no cell's fault.
        """
        try:
            step()
        except DatabaseLost:
            raise
        except CellTaken:
            self.is_taken = True
        except CellFailed as failure:
            self.fail(failure.status, failure.reason, failure.traceback)
        # A plugin that calls `sys.exit` must not end the run. KeyboardInterrupt is the user's, and passes.
        except (Exception, SystemExit, GeneratorExit) as error:
            cause = failure_of(error, self.attempt.folder)
            self.fail(cause.status, cause.reason, cause.traceback)

    @cached_property
    def _code(self) -> dict[str, str]:
        """The fingerprints of the strategy's source, read in the driver: it is the same for all workers of a run."""
        return self._catalog.code(self.cell)

    def _provenance(self) -> Provenance:
        return expected_provenance(self._catalog, self.cell, self._defaults, self._precision)
