"""A cell in, a record out: search, freeze the winner, fit it once per seed, open the test split, score."""

from __future__ import annotations

import errno
import math
from contextlib import closing, nullcontext, suppress

import msgspec

from tlbench.contracts.errors import PluginError, StoreError
from tlbench.contracts.executor import CellOrder
from tlbench.contracts.record import PAID, FitOrder, FitResult, Provenance, Record, Seconds, Status
from tlbench.contracts.space import Choice, Space, Value, is_fixed
from tlbench.running import scoring
from tlbench.running.crew import Crew
from tlbench.running.fit import status_of
from tlbench.running.measure import metered
from tlbench.running.outcomes import Ended, ended
from tlbench.running.performer import Performer
from tlbench.running.posts import Posts, most
from tlbench.running.study import Study
from tlbench.running.takeover import FinishedFits, alike, taken_seconds
from tlbench.running.work import Winner, WorkFolder
from tlbench.running.workbench import Materials, Workbench

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def run_cell(order: CellOrder, bench: Workbench, work: WorkFolder, crew: Crew | None = None) -> Record:
    """Returns the record of a cell, whatever its plugins do; what it finished before a kill is not done again.

    The caller holds the work folder's lease. Idle workers of the crew take a part of the fits.
    """
    if (record := work.record(order.cell.id, order.attempt)) is not None:
        return record
    # A process that died here cannot say so.
    work.hush(everyone=True)
    spent = work.spent()
    bench.make_room(order.cell)
    with metered(bench.device) as usage:
        try:
            work.begin(order.cell)
            performer = Performer(Materials(order.cell, bench, work))
            made_with = performer.materials.provenance()
            if not all(alike(made_with, one) for one in work.made_with()):
                # What an interrupted run has left here is of other data, and so of other fits.
                work.start_anew()
            work.note_made_with(made_with)
            with crew.calling(order) if crew else nullcontext(), closing(performer):
                record = _Run(order, performer).record()
        except Ended as end:
            record = ended(order, end.status, end.reason, end.traceback, end.trials)
        except (Exception, SystemExit) as error:
            _raise_if_disk(error, work)
            status, reason, trace = status_of(error)
            record = ended(order, "failed" if status == "pruned" else status, reason, trace)
    if record.status != "ok":
        record = msgspec.structs.replace(record, provenance=_made_with(order, bench, work))
    total = spent + usage.seconds + taken_seconds(record.trials, record.fits)
    record = msgspec.structs.replace(
        record,
        memory=most([usage.memory, *Posts(work.root).memories()]),
        energy_joules=None if _takes_over(record) else usage.energy_joules,
        seconds=msgspec.structs.replace(record.seconds, total=total),
        test_reads=work.test_reads,
        also_made_with=tuple(one for one in work.made_with() if record.provenance.differing(one)),
    )
    try:
        work.save_record(record)
    except OSError as error:
        _raise_if_disk(error, work)
        raise
    return record


def _made_with(order: CellOrder, bench: Workbench, work: WorkFolder) -> Provenance:
    """Returns what a cell without scores was tried with, as far as that can be told."""
    with suppress(Exception, SystemExit):
        return Materials(order.cell, bench, work).provenance()
    return Provenance()


def _raise_if_disk(error: BaseException, work: WorkFolder) -> None:
    """Raises StoreError where the disk is to blame: that is no result of the cell, which is to be run again."""
    if getattr(error, "errno", None) in _DISK or "disk is full" in str(error):
        raise StoreError(f"{work.root}: {' '.join(str(error).split())[:200]}") from error


class _Run:
    """One cell on its way, phase by phase, in the process that owns it."""

    def __init__(self, order: CellOrder, performer: Performer) -> None:
        self.order, self.cell, self.performer = order, order.cell, performer
        self.materials, self.work = performer.materials, performer.work
        self.finished = FinishedFits(order, self.materials)

    def record(self) -> Record:
        winner = self.work.winner()
        if winner is None:
            winner = self._search()
            self.work.freeze(winner)
        fits = self._finals(winner)
        trials = tuple(self.work.trials().values())
        if failed := next((fit for fit in fits if fit.status != "ok"), None):
            raise Ended(_cell_status(failed), f"seed {failed.seed}: {failed.reason}", failed.traceback, trials)
        self.performer.say("scoring")
        test = self.materials.test()
        scores, report = scoring.scores(self.work, winner.seeds, self.materials.task.item)
        return Record(
            cell=self.cell,
            status="ok",
            attempt=self.order.attempt,
            metrics=self.materials.info.metrics,
            positive=self.materials.info.positive,
            best_params=winner.params,
            trials=trials,
            fits=tuple(fits),
            validation=winner.validation,
            scores=scores,
            report=report,
            overlap=self.materials.overlap(),
            predictions=scoring.gather(self.work, winner.seeds, test),
            seconds=_seconds(trials, fits),
            parameters=fits[0].parameters,
            trainable_parameters=fits[0].trainable_parameters,
            examples_seen=round(sum(fit.examples_seen for fit in fits) / len(fits)),
            provenance=self.materials.provenance(),
        )

    def _search(self) -> Winner:
        space, defaults = self.materials.space, self.materials.defaults
        setting = _only_setting(space, defaults, self.cell.protocol.trials)
        if setting is not None:
            order = FitOrder(self.cell, setting, self.cell.protocol.seeds[0], "search", 0)
            if not self.performer.is_done(order) and self.finished.take_trials([order]):
                self.performer.perform([order])
        else:
            self._study(space, defaults)
        best = self.performer.best()
        if best is None:
            trials = self.work.trials()
            last = list(trials.values())[-1]
            reason = last.reason if len(trials) == 1 else f"no trial of {len(trials)} gave a score; {last.reason}"
            raise Ended(_cell_status(last), reason, last.traceback, tuple(trials.values()))
        return Winner(best.params, self.cell.protocol.seeds, best.trial, best.validation)

    def _study(self, space: Space, defaults: dict[str, Value]) -> None:
        usable = {name: value for name, value in defaults.items() if _allows(space, name, value)}
        sign = self.performer.sign
        study = Study(self.work.study, self.cell.search_id, self.cell.protocol, space, usable, sign)
        # A kill between a finished fit and its telling left the fit on disk and the trial running.
        finished = self.work.trials()
        for trial in study.running():
            if trial.number in finished:
                study.tell(finished[trial.number])
        batch = self.materials.strategy.item.batch_size
        while asked := study.ask(batch):
            seed = self.cell.protocol.seeds[0]
            orders = [FitOrder(self.cell, one.params, seed, "search", one.number) for one in asked]
            left = self.finished.take_trials(orders)
            if left and (batch > 1 or len(orders) == 1):
                reports = {one.number: one.report for one in asked}
                self.performer.perform(left, [reports[order.trial] for order in left])
            else:
                self.performer.all_done(left)
            finished = self.work.trials()
            for order in orders:
                study.tell(finished[order.trial])

    def _finals(self, winner: Winner) -> list[FitResult]:
        orders = [FitOrder(self.cell, winner.params, seed, "final", winner.trial) for seed in winner.seeds]
        if any(self.performer.is_done(order) for order in orders):
            # Of an interrupted run: what answered another test split answers nothing here.
            self.work.drop_finals_but_of(self.materials.test().fingerprint)
        if any(self.finished.has_final(order) for order in orders if not self.performer.is_done(order)):
            self.finished.take_finals(orders, self.materials.test())
        orders = [order for order in orders if not self._is_taken_over(order)]
        if self.materials.strategy.item.batch_size > 1:
            # All of them, though a kill may have left some finished: the pass is then the undisturbed one.
            if not all(self.performer.is_done(order) for order in orders):
                self.performer.perform(orders)
        else:
            self.performer.all_done(orders)
        return [fit for seed in winner.seeds if (fit := self.work.final(seed)) is not None]

    def _is_taken_over(self, order: FitOrder) -> bool:
        fit = self.work.final(order.seed)
        return fit is not None and fit.taken_over


def _only_setting(space: Space, defaults: dict[str, Value], trials: int) -> dict[str, Value] | None:
    """Returns the one setting there is to try, or None where there is something to search."""
    fixed = {name: _fixed_value(domain) for name, domain in space.items() if is_fixed(domain)}
    if len(fixed) == len(space):
        return fixed
    chosen = {name: value for name, value in defaults.items() if _allows(space, name, value)}
    complete = {**chosen, **fixed}
    return {name: complete[name] for name in space} if trials == 1 and len(complete) == len(space) else None


def _fixed_value(domain: object) -> Value:
    return domain.values[0] if isinstance(domain, Choice) else domain.low  # type: ignore[attr-defined]


def _allows(space: Space, name: str, value: Value) -> bool:
    if name not in space:
        raise PluginError(f"defaults() names {name!r}, which the space lacks")
    domain = space[name]
    if isinstance(domain, Choice):
        return value in domain.values
    return not isinstance(value, str) and math.isfinite(value) and domain.low <= value <= domain.high


def _seconds(trials: tuple[FitResult, ...], fits: list[FitResult]) -> Seconds:
    def mean(field: str) -> float:
        return float(sum(getattr(fit, field) for fit in fits)) / len(fits)

    return Seconds(
        setup=mean("setup_seconds"),
        encode=mean("encode_seconds"),
        encode_paid=sum(fit.encode_paid_seconds for fit in (*trials, *fits)),
        fit=mean("fit_seconds"),
        search=sum(getattr(trial, field) for trial in trials for field in PAID),
        predict=mean("predict_seconds"),
    )


def _takes_over(record: Record) -> bool:
    """Says whether some of the fits were made for another cell, whose energy nobody can tell apart."""
    return any(fit.taken_over for fit in (*record.trials, *record.fits))


def _cell_status(result: FitResult) -> Status:
    return "failed" if result.status == "pruned" else result.status
