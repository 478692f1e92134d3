"""A cell in, a record out: search, freeze the winner, fit it once per seed, open the test split, score."""

from __future__ import annotations

import errno
import math
from collections.abc import Callable

import msgspec

from tlbench.contracts.errors import PluginError, StoreError
from tlbench.contracts.executor import CellOrder
from tlbench.contracts.metric import METRICS
from tlbench.contracts.record import FitOrder, FitResult, Record, Seconds, Status
from tlbench.contracts.space import Choice, Space, Value, is_fixed
from tlbench.contracts.strategy import Predictor
from tlbench.running import scoring
from tlbench.running.fit import Fitted, predict_timed, run_fits, status_of
from tlbench.running.measure import metered, provenance
from tlbench.running.outcomes import Ended, ended
from tlbench.running.study import Study
from tlbench.running.work import Winner, WorkFolder, now
from tlbench.running.workbench import Materials, Workbench

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def run_cell(order: CellOrder, bench: Workbench, work: WorkFolder) -> Record:
    """Returns the record of a cell, whatever its plugins do; what it finished before a kill is not done again.

    The caller holds the work folder's lease.
    """
    if (record := work.record()) is not None:
        return record
    with metered(bench.device) as usage:
        try:
            materials = Materials(order.cell, bench, work)
            record = _Run(order, materials).record()
        except Ended as end:
            record = ended(order, end.status, end.reason, end.traceback, end.trials)
        except (Exception, SystemExit) as error:
            _raise_if_disk(error, work)
            status, reason, trace = status_of(error)
            record = ended(order, "failed" if status == "pruned" else status, reason, trace)
    record = msgspec.structs.replace(
        record,
        memory=usage.memory,
        energy_joules=usage.energy_joules,
        seconds=msgspec.structs.replace(record.seconds, total=usage.seconds),
        test_reads=work.test_reads,
    )
    try:
        work.save_record(record)
    except OSError as error:
        _raise_if_disk(error, work)
        raise
    return record


def _raise_if_disk(error: BaseException, work: WorkFolder) -> None:
    """Raises StoreError where the disk is to blame: that is no result of the cell, which is to be run again."""
    if getattr(error, "errno", None) in _DISK or "disk is full" in str(error):
        raise StoreError(f"{work.root}: {' '.join(str(error).split())[:200]}") from error


class _Run:
    """One cell on its way, phase by phase."""

    def __init__(self, order: CellOrder, materials: Materials) -> None:
        self.order, self.cell, self.materials, self.work = order, order.cell, materials, materials.work
        self.metric = METRICS[materials.info.metric]
        self.sign = 1.0 if self.metric.greater_is_better else -1.0
        self.began = now()
        self.search_seconds = 0.0
        self.kept: tuple[int, Predictor, Callable[[], None]] | None = None

    def record(self) -> Record:
        winner = self.work.winner()
        if winner is None:
            winner = self._search()
            self.work.freeze(winner)
        fits = [self._final(winner, index) for index in range(len(winner.seeds))]
        trials = tuple(self.work.trials().values())
        if failed := next((fit for fit in fits if fit.status != "ok"), None):
            raise Ended(_cell_status(failed), f"seed {failed.seed}: {failed.reason}", failed.traceback, trials)
        self._say("scoring")
        test = self.materials.test()
        scores = scoring.scores(self.work, winner.seeds, self.materials.task.item)
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
            predictions=scoring.gather(self.work, winner.seeds, test),
            seconds=_seconds(trials, fits),
            parameters=fits[0].parameters,
            trainable_parameters=fits[0].trainable_parameters,
            examples_seen=round(sum(fit.examples_seen for fit in fits) / len(fits)),
            provenance=provenance(
                self.materials.plugins,
                self.materials.bench.device,
                self.materials.precision,
                self.materials.bench.threads,
                self.materials.fingerprints(),
            ),
        )

    def _search(self) -> Winner:
        space, defaults = self.materials.space, self.materials.defaults
        setting = _only_setting(space, defaults, self.cell.protocol.trials)
        if setting is not None:
            if 0 not in self.work.trials():
                self._say("fit")
                self._try([(0, setting, _unreported)])
        else:
            self._study(space, defaults)
        trials = self.work.trials()
        scored = [t for t in trials.values() if t.status == "ok" and t.validation is not None]
        if not scored:
            last = list(trials.values())[-1]
            reason = last.reason if len(trials) == 1 else f"no trial of {len(trials)} gave a score; {last.reason}"
            raise Ended(_cell_status(last), reason, last.traceback, tuple(trials.values()))
        best = max(scored, key=lambda t: (self.sign * (t.validation or 0.0), -t.trial))
        return Winner(best.params, self.cell.protocol.seeds, best.trial, best.validation)

    def _study(self, space: Space, defaults: dict[str, Value]) -> None:
        usable = {name: value for name, value in defaults.items() if _allows(space, name, value)}
        study = Study(self.work.study, self.cell.search_id, self.cell.protocol, space, usable, self.sign)
        # A kill between a finished fit and its telling left the fit on disk and the trial running.
        finished = self.work.trials()
        for trial in study.running():
            if trial.number in finished:
                study.tell(finished[trial.number])
        while asked := study.ask(self.materials.strategy.item.batch_size):
            first, total = asked[0].number + 1, study.total
            self._say(
                f"trial {first}/{total}" if len(asked) == 1 else f"trials {first}-{first + len(asked) - 1}/{total}"
            )
            for result in self._try([(a.number, a.params, a.report) for a in asked]):
                study.tell(result)

    def _try(self, settings: list[tuple[int, dict[str, Value], Callable[[int, float], None]]]) -> list[FitResult]:
        seed = self.cell.protocol.seeds[0]
        orders = [FitOrder(self.cell, params, seed, "search", number) for number, params, _ in settings]
        fitted = run_fits(orders, self.materials, [report for *_, report in settings])
        results = [one.result for one in fitted]
        self.work.save_trials(results)
        # What was fitted in one pass with others may differ in the last bit from a fit on its own, which is what a
        # resumed cell would make of the winner: so only single fits are kept.
        if len(fitted) == 1 and not self.cell.protocol.refit:
            self._keep_if_best(fitted[0])
        return results

    def _keep_if_best(self, fitted: Fitted) -> None:
        if fitted.predictor is None:
            return
        scored = [t for t in self.work.trials().values() if t.status == "ok" and t.validation is not None]
        best = max(scored, key=lambda t: (self.sign * (t.validation or 0.0), -t.trial))
        if best.trial == fitted.result.trial:
            warm = self.materials.warm
            self.kept = (fitted.result.trial, fitted.predictor, warm.keep() if warm else _nothing)

    def _final(self, winner: Winner, index: int) -> FitResult:
        seed = winner.seeds[index]
        if (done := self.work.final(seed)) is not None:
            return done
        self._say(f"seed {index + 1}/{len(winner.seeds)}")
        order = FitOrder(self.cell, winner.params, seed, "final", winner.trial)
        fitted = self._reused(order) if index == 0 else None
        if fitted is None:
            fitted = run_fits([order], self.materials, [_unreported])[0]
        result = fitted.result
        if fitted.predictor is not None:
            result = self._tested(fitted.predictor, result)
        self.work.save_final(result)
        return result

    def _reused(self, order: FitOrder) -> Fitted | None:
        """Returns the winner's own fit of the search, where it is still alive."""
        if self.kept is None or self.kept[0] != order.trial:
            return None
        _, predictor, put_back = self.kept
        put_back()
        # What the fit paid for encoding and set-up stands with the trial; it was not paid again.
        result = self.work.trials()[order.trial]
        return Fitted(msgspec.structs.replace(result, purpose="final", encode_paid_seconds=0.0), predictor)

    def _tested(self, predictor: Predictor, result: FitResult) -> FitResult:
        examples = self.materials.test()
        try:
            # The labels stay behind: a predictor is asked, not told.
            data = self.materials.data(examples.without_targets())
            predictions, seconds = predict_timed(predictor, data, self.materials.bench.activations)
        except (Exception, SystemExit) as error:
            status, reason, trace = status_of(error)
            return msgspec.structs.replace(result, status=status, reason=reason, traceback=trace)
        path = self.work.predictions(result.seed)
        scoring.write_predictions(path, result.seed, examples, predictions)
        return msgspec.structs.replace(result, predict_seconds=seconds, predictions=path.name)

    def _say(self, phase: str) -> None:
        self.work.say(self.cell.title, phase, self.began)


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

    spent = ("fit_seconds", "setup_seconds", "encode_paid_seconds", "validate_seconds")
    return Seconds(
        setup=mean("setup_seconds"),
        encode=mean("encode_seconds"),
        encode_paid=sum(fit.encode_paid_seconds for fit in (*trials, *fits)),
        fit=mean("fit_seconds"),
        search=sum(getattr(trial, field) for trial in trials for field in spent),
        predict=mean("predict_seconds"),
    )


def _cell_status(result: FitResult) -> Status:
    return "failed" if result.status == "pruned" else result.status


def _nothing() -> None:
    """Puts nothing back where there is no encoder."""


def _unreported(step: int, value: float) -> None:
    """Takes reports where no study listens."""
