"""One cell on its way to its record: it says which fits come next, and is told what they gave.

    searching -> frozen -> scoring -> recorded

It runs in the driver, imports no torch, and carries out nothing itself. Whatever it is told is in the cell's folder
before it goes on, so that a run which is killed at any moment goes on where it ended.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.errors import StoreError
from tlbench.contracts.executor import Fit, FitOrder, OrderResult
from tlbench.contracts.record import FitResult, Provenance, Record, Status
from tlbench.running.cells.attempt import Attempt, Means
from tlbench.running.cells.cell_folder import FULL, CellFolder, Lease, Winner
from tlbench.running.cells.cell_record import Finished, record_of
from tlbench.running.cells.failures import CellEnded, ended
from tlbench.running.cells.final_fits import CellFinals
from tlbench.running.cells.hyperparameters import made_with, only_setting, settings_of
from tlbench.running.cells.reused_fits import FinishedFits, alike, taken_seconds
from tlbench.running.cells.trials import CellSearch


@dataclass
class _Clock:
    """The time in which some order of a cell was in work."""

    seconds: float = 0.0
    in_work: int = 0
    began: float = 0.0

    def start(self) -> None:
        if self.in_work == 0:
            self.began = time.monotonic()
        self.in_work += 1

    def stop(self) -> None:
        self.in_work -= 1
        if self.in_work == 0:
            self.seconds += time.monotonic() - self.began

    def so_far(self) -> float:
        return self.seconds + (time.monotonic() - self.began if self.in_work else 0.0)


class CellRun:
    """A cell between the moment that its folder is held and its record."""

    def __init__(self, attempt: Attempt, catalog: Catalog, means: Means, folder: CellFolder, lease: Lease) -> None:
        self.attempt, self.cell = attempt, attempt.cell
        self.record: Record | None = folder.record(self.cell.id, attempt.number)
        """The finished record, to be committed; None while the cell is on its way."""
        self._catalog, self._means, self._folder, self._lease = catalog, means, folder, lease
        self._precision = means.precision(self.cell.protocol.precision)
        self._spent, self._clock = folder.spent(), _Clock()
        self._energy_joules: float | None = None
        self._wanted: list[FitOrder] = []
        self._in_work: list[tuple[Fit, ...]] = []
        """The fits of orders that are in work; what a new beginning has made void is not among them."""
        self._begun: list[tuple[Fit, ...]] = []
        """Those of them that are being carried out."""
        self._unchecked = folder.made_with()
        """What an earlier process made its fits with, until the first answer says whether the data are the same."""
        self._search: CellSearch | None = None
        self._finals: CellFinals | None = None
        self._is_scoring = False
        if self.record is None:
            self._guarded(self._begin)

    @classmethod
    def open(cls, attempt: Attempt, catalog: Catalog, means: Means) -> CellRun | None:
        """Returns the run of a cell, or None while another process has it."""
        folder = CellFolder(Path(attempt.folder))
        lease = folder.lease()
        return None if lease is None else cls(attempt, catalog, means, folder, lease)

    @property
    def seconds_left(self) -> float | None:
        """What is left of the cell's time, with what others spent on it before taken out; None for no limit."""
        limit = self.cell.protocol.max_seconds
        return None if limit is None else limit - self._spent - self._clock.so_far()

    @property
    def phase(self) -> str:
        """What the cell is at, for people."""
        protocol = self.cell.protocol
        if self._finals is None:
            # A grid may have fewer settings than trials were granted.
            total = "" if protocol.sampler == "grid" else f"/{protocol.trials}"
            return f"trial {len(self._search.trials if self._search else ()) + 1}{total}"
        return "scoring" if self._is_scoring else f"seed {self._finals.count + 1}/{len(protocol.seeds)}"

    def take(self) -> FitOrder | None:
        """Returns an order to carry out now, or None; it is in work until it is told, given back or ended."""
        if self.record is None and not self._wanted:
            self._guarded(self._want)
        if self.record is not None or not self._wanted:
            return None
        order = self._wanted.pop(0)
        self._in_work.append(order.fits)
        return order

    def sent(self, order: FitOrder) -> None:
        """Notes that an order is about to be sent: one that opens the test split is counted before."""
        if order.purpose != "search":
            self._folder.note_test_read()

    def begin(self, order: FitOrder) -> None:
        """Notes that an order is being carried out from now on: the cell's clock runs."""
        self._clock.start()
        self._begun.append(order.fits)

    def tell(self, order: FitOrder, answer: OrderResult) -> None:
        """Notes what an order gave; what comes after the cell has ended is left alone."""
        if self._is_of_use(order):
            self._guarded(lambda: self._note(order, answer))

    def give_back(self, order: FitOrder, in_parts: bool = False) -> None:
        """Takes back an order whose worker was lost: it is given again, in halves where memory ran out."""
        if not self._is_of_use(order):
            return
        half = (len(order.fits) + 1) // 2 if in_parts and order.purpose != "score" else len(order.fits)
        for fits in filter(None, (order.fits[:half], order.fits[half:])):
            self._wanted.append(msgspec.structs.replace(order, fits=fits, attempt=order.attempt + 1, worker=""))

    def end(self, status: Status, reason: str, trace: str = "", order: FitOrder | None = None) -> None:
        """Ends the cell without scores; for an order that is of no use any more, nothing happens."""
        if (order is None or self._is_of_use(order)) and self.record is None:
            trials = self._search.trials if self._search else self._folder.trials().values()
            self._finish(ended(self.attempt, CellEnded(status, reason, trace), tuple(trials)))

    def close(self) -> None:
        """Lets other processes have the cell."""
        if self.record is not None:
            self._folder.drop_saved()
        self._lease.release()

    def _begin(self) -> None:
        self._folder.begin(self.cell)
        self._settings = settings_of(self._catalog, self.cell)
        self._elsewhere = FinishedFits(self.attempt, self._provenance, self._folder)
        winner = self._folder.winner()
        setting = only_setting(self._settings, self.cell.protocol)
        if winner is None and setting is not None:
            # Nothing is compared: the final fit of the first seed gives the validation score.
            winner = Winner(setting, self.cell.protocol.seeds, 0, None)
            self._folder.freeze(winner)
        if setting is None:
            self._search = CellSearch(self.cell, self._settings, self._folder, self._elsewhere)
        if winner is not None:
            self._finals = CellFinals(winner, self._folder, self._elsewhere)

    def _begin_anew(self) -> None:
        """Begins again: what an interrupted run has left is of other data, and so of other fits."""
        self._folder.start_anew()
        self._search = self._finals = None
        self._wanted, self._in_work, self._unchecked, self._is_scoring = [], [], [], False
        self._begin()

    def _want(self) -> None:
        if self._finals is None:
            self._want_trials()
        if self._finals is not None and not self._wanted:
            self._want_finals(self._finals)

    def _want_trials(self) -> None:
        assert self._search is not None
        if fits := self._search.ask():
            best = self._search.best
            self._order(
                "search",
                fits,
                keep_above=best.validation if best else None,
                stop_below=self._search.stop_below(fits),
            )
        elif self._search.is_complete:
            winner = self._search.winner()
            self._folder.freeze(winner)
            if self.cell.protocol.is_searched:
                self._search.export()
            self._finals = CellFinals(winner, self._folder, self._elsewhere)

    def _want_finals(self, finals: CellFinals) -> None:
        together = self._settings.batch_size > 1
        fits = finals.ask(together)
        if fits and together:
            self._order("final", fits)
            return
        for fit in fits:
            is_of_search = self._search is not None and fit.seed == self.cell.protocol.seeds[0]
            worker = self._search.holders.get(fit.trial, "") if self._search and is_of_search else ""
            self._order("final", [fit], worker=worker)
        if finals.is_complete and not self._is_scoring:
            finals.check()
            self._is_scoring = True
            self._order("score", [finals.fit(seed) for seed in finals.winner.seeds])

    def _order(self, purpose: Any, fits: list[Fit], **more: Any) -> None:
        means = self._means
        order = FitOrder(
            self.cell, purpose, tuple(fits), self.attempt.folder,
            device=means.device, precision=self._precision, threads=means.threads,
            environment=dict(means.environment), imports=self._settings.imports, **more,
        )  # fmt: skip
        self._wanted.append(order)

    def _is_of_use(self, order: FitOrder) -> bool:
        """Takes an order out of work; says whether what became of it still matters."""
        for i, fits in enumerate(self._begun):
            if fits is order.fits:
                del self._begun[i]
                self._clock.stop()
                break
        for i, fits in enumerate(self._in_work):
            if fits is order.fits:
                del self._in_work[i]
                return self.record is None
        return False

    def _note(self, order: FitOrder, answer: OrderResult) -> None:
        self._folder.note_memory(answer.memory)
        if answer.energy_joules is not None:
            self._energy_joules = (self._energy_joules or 0.0) + answer.energy_joules
        if answer.error:
            raise CellEnded("failed", answer.error, answer.traceback)
        if not all(alike(answer.made_with, one) for one in self._unchecked):
            self._begin_anew()
            return
        self._unchecked = []
        self._folder.note_made_with(answer.made_with)
        if order.purpose == "score":
            self._note_scores(answer)
            return
        results = list(answer.results)
        if [(one.trial, one.seed, one.params) for one in results] != [
            (fit.trial, fit.seed, fit.params) for fit in order.fits
        ]:
            raise CellEnded("failed", "the executor answered other fits than it was given")
        if order.purpose == "search":
            assert self._search is not None
            if answer.keeps:
                self._search.holders[order.fits[0].trial] = answer.worker
            self._search.tell(results)
        else:
            assert self._finals is not None
            self._finals.tell(results)

    def _note_scores(self, answer: OrderResult) -> None:
        assert self._finals is not None
        if self._finals.drop_misfits(answer):
            self._is_scoring = False
            return
        trials: tuple[FitResult, ...] = tuple(self._search.trials) if self._search else ()
        finished = Finished(trials, self._finals.results, self._finals.winner)
        self._finish(record_of(self.attempt, self._settings.info, finished, answer))

    def _finish(self, record: Record) -> None:
        fits = (*record.trials, *record.fits)
        total = self._spent + self._clock.so_far() + taken_seconds(record.trials, record.fits)
        known = self._folder.made_with()
        made = record.provenance if record.status == "ok" or not known else known[-1]
        record = msgspec.structs.replace(
            record,
            provenance=made,
            memory=self._folder.memory(),
            energy_joules=None if any(fit.taken_over for fit in fits) else self._energy_joules,
            seconds=msgspec.structs.replace(record.seconds, total=total),
            test_reads=self._folder.test_reads,
            also_made_with=tuple(one for one in known if made.differing(one)),
        )
        self._folder.save_record(record)
        self.record = record
        self._wanted.clear()

    def _guarded(self, step: Callable[[], None]) -> None:
        """Does a step; what a plugin raises in it ends the cell.

        Raises:
            StoreError: The disk takes no more, which is no cell's fault.
        """
        try:
            step()
        except CellEnded as end:
            self.end(end.status, end.reason, end.traceback)
        except (Exception, SystemExit, GeneratorExit) as error:
            if isinstance(error, OSError) and error.errno in FULL:
                raise StoreError(f"{self.attempt.folder}: {error.strerror or error}") from error
            reason = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
            self.end("failed", reason, "".join(traceback.format_exception(error)))

    def _provenance(self) -> Provenance:
        return made_with(self._catalog, self.cell, self._means, self._precision)
