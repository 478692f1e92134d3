"""Carries out orders: the part of a worker that is the same for every executor."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch

from tlbench.catalog.kept_catalog import kept_or_discovered
from tlbench.contracts.errors import UsageError
from tlbench.contracts.executor import FitOrder, OrderResult
from tlbench.contracts.fits.latency import Latency
from tlbench.contracts.fits.predictor import Predictor
from tlbench.contracts.outputs import Predictions
from tlbench.contracts.record import FitResult
from tlbench.metrics.scored import Scored
from tlbench.metrics.scored_arrays import scored_of
from tlbench.results.models.model_folder import checked_predictor
from tlbench.running.cells.failures import is_folders_fault
from tlbench.running.fitting import saved_predictors as saved
from tlbench.running.fitting.context import CellContext
from tlbench.running.fitting.cross_validation import run_fits_or_folds
from tlbench.running.fitting.devices.joining import group_for
from tlbench.running.fitting.fit import Fitted, truncated_shares
from tlbench.running.fitting.fit_status import status_of
from tlbench.running.fitting.measuring.measured_latency import measure_fitted_latency, measure_latency
from tlbench.running.fitting.measuring.timing import predict_timed
from tlbench.running.fitting.reusable_encoder import KeptState
from tlbench.running.fitting.session import Session, caught_errors, resolve_device, restored_globals
from tlbench.running.lost_worker import DEVICE_LOST
from tlbench.running.memory.cell_memory import CellMemory
from tlbench.running.scoring import scores, validation_predictions
from tlbench.running.scoring.floor import floor_of
from tlbench.running.scoring.prediction_files import digests_of, predictions_path, read_seed, validation_path
from tlbench.system.free_memory import Leftovers
from tlbench.system.measure import ResourceUsage, is_lost, metered


@dataclass(frozen=True)
class _KeptPredictor:
    """The best predictor of a search so far, with its encoder's state as the fit left it."""

    fit_id: str
    score: float
    predictor: Predictor
    result: FitResult
    answers: Predictions | None
    """The predictions of the validation split."""
    encoder: KeptState


class Worker:
    """Carries out orders in this process, one at a time."""

    def __init__(self, isolated: bool) -> None:
        """Creates a worker.

        Args:
            isolated: Whether this is a dedicated worker process, which Ctrl-C does not reach and another may replace.
        """
        self.isolated = isolated
        self._caught = caught_errors(isolated)
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._session: Session | None = None
        self._environment: dict[str, str] = {}
        self._context: CellContext | None = None
        self._kept: _KeptPredictor | None = None
        self._memory = CellMemory(isolated)
        self._leftovers = Leftovers()

    def carry_out(self, order: FitOrder) -> OrderResult:
        """Carries out an order and returns its result, which also reports errors of plugins."""
        usage = ResourceUsage()
        try:
            session = self._session_for(order)
            kept_bytes = self._kept.encoder.size_bytes if self._kept else 0
            if self.isolated:
                # Memory of other devices is not the process's own, so that its growth is not seen here.
                self._leftovers.free(always=session.device.type != "cpu")
            with restored_globals(), metered(session.device, sampled=self.isolated) as usage:
                answer = self._answer(order, self._context_for(order, session))
        except OSError as error:
            # No cell is to blame for a full disk, so the run ends instead of failing cell after cell.
            if not is_folders_fault(error, order.folder):
                return self._failed(error)
            reason = f"{order.folder}: {' '.join(str(error).split())[:200]}"
            return OrderResult(worker=self.name, error=reason, ends_run=True)
        except UsageError as error:
            return OrderResult(worker=self.name, error=str(error), ends_run=True)
        except self._caught as error:
            return self._failed(error)
        made_with = self._context.provenance() if self._context else answer.made_with
        if any(one.status == "oom" for one in answer.results):
            # The next order begins with all the memory that there is.
            self.forget()
        return msgspec.structs.replace(
            answer,
            worker=self.name,
            memory=self._memory.of_order(order, usage, kept_bytes),
            # Only one device's energy is measured.
            energy_joules=usage.energy_joules if order.devices == 1 else None,
            made_with=made_with,
        )

    def forget(self) -> None:
        """Drops everything that is kept between orders."""
        self._session = self._context = self._kept = None

    def _end_if_device_is_lost(self, trace: str) -> None:
        """Ends this process if its GPU is unusable for the rest of it, as after some errors; another gets the order."""
        if self.isolated and self._session is not None and is_lost(self._session.device):
            print(trace, file=sys.stderr, flush=True)
            # An orderly exit would wait for the device.
            os._exit(DEVICE_LOST)

    def _failed(self, error: BaseException) -> OrderResult:
        _, reason, trace = status_of(error)
        self._end_if_device_is_lost(trace)
        return OrderResult(worker=self.name, error=reason, traceback=trace)

    def _answer(self, order: FitOrder, context: CellContext) -> OrderResult:
        if order.purpose == "score":
            return _score_cell(order, context)
        if order.purpose == "time":
            return OrderResult(latencies=_latencies(order, context))
        if order.purpose == "final" and self.isolated and context.session.device.type == "cpu":
            # On a CPU a worker serves one cell, so that no later fit reads them.
            context.forget_other_training_data({fit.seed for fit in order.fits})
        reused = self._reused(order, context)
        # Fits on several devices begin in all of their processes, or in none.
        context.session.group.from_first(lambda: float(reused is None))
        fitted = reused or run_fits_or_folds(order.fits, context, order.purpose, order.stop_below)
        if order.purpose == "final":
            results = [one.result if one.predictor is None else _predict_test(one, order, context) for one in fitted]
            for one, result in zip(fitted, results, strict=True):
                saved.keep_model(order, one, result, context)
        else:
            results = [one.result for one in fitted]
            self._keep(order, context, fitted)
            if order.keep_answers:
                results = _with_answers(order, context, fitted)
        for result in results:
            if result.status in ("failed", "oom"):
                self._end_if_device_is_lost(result.traceback)
        keeps = self._kept is not None and len(order.fits) == 1 and self._kept.fit_id == _fit_id(order)
        return OrderResult(tuple(results), keeps=keeps)

    def _keep(self, order: FitOrder, context: CellContext, fitted: Sequence[Fitted]) -> None:
        # Only single fits are kept: results of a pass may differ in the last bit from those of a fit on its own, which
        # is what a resumed cell would use for the winner.
        result, predictor = fitted[0].result, fitted[0].predictor
        if len(fitted) > 1 or predictor is None or result.validation is None or order.cell.protocol.refits_winner:
            return
        sign = 1.0 if context.metric.greater_is_better else -1.0
        best = None if order.keep_above is None else sign * order.keep_above
        mine = self._kept.score if self._kept and self._kept.fit_id.startswith(order.cell.fits_id) else None
        score = sign * result.validation
        if any(other is not None and score <= other for other in (best, mine)):
            return
        state = context.encoder.keep() if context.encoder else KeptState(_nothing)
        self._kept = _KeptPredictor(_fit_id(order), score, predictor, result, fitted[0].answers, state)
        saved.save(order, _fit_id(order), fitted[0], context.session.caught)

    def _reused(self, order: FitOrder, context: CellContext) -> list[Fitted] | None:
        """Returns the winner's fit from the search if its predictor is still in memory or was saved, else None."""
        if order.purpose != "final" or len(order.fits) > 1 or order.cell.protocol.refits_winner:
            return None
        kept = self._kept
        if kept is not None and kept.fit_id == _fit_id(order) and kept.encoder.put_back():
            found: Fitted | None = Fitted(kept.result, kept.predictor, kept.answers)
        else:
            found = saved.load(order, _fit_id(order), context)
        if found is None:
            return None
        # The time of encoding and set-up was spent once, and is charged to the trial already.
        unpaid = msgspec.structs.replace(
            found.result, purpose="final", stop_part=None, encode_paid_seconds=0.0, setup_paid_seconds=0.0
        )
        return [Fitted(unpaid, found.predictor, found.answers)]

    def _session_for(self, order: FitOrder) -> Session:
        device = resolve_device(order.device)
        if self._environment != order.environment:
            # Data roots and plugin modules may have changed, so nothing that was loaded before is valid.
            os.environ.update(order.environment)
            self._environment = dict(order.environment)
            self.forget()
        session = self._session
        if session is None or (session.device, session.threads) != (device, order.threads):
            self.forget()
            torch.set_num_threads(order.threads)
            session = self._session = Session(kept_or_discovered(), device, order.threads, self.isolated)
        session.release_other_cells(order.cell)
        session.group, session.devices = group_for(order, device), order.devices
        return session

    def _context_for(self, order: FitOrder, session: Session) -> CellContext:
        known = self._context
        if known is None or known.cell != order.cell or known.precision != order.precision:
            self._kept = None
            # Dropped first, so that the old cell's data and the new one's are never in memory together.
            self._context = None
            self._context = CellContext(order.cell, session, order.precision)
        assert self._context is not None
        return self._context


def _predict_test(fitted: Fitted, order: FitOrder, context: CellContext) -> FitResult:
    """Predicts the test split, stores the predictions and returns the completed result."""
    assert fitted.predictor is not None
    result, info = fitted.result, context.info
    try:
        examples = context.test()
        # A predictor never sees the labels.
        data = context.data(examples.without_targets())
        predictions, seconds, paid = predict_timed(fitted.predictor, data, context.session.activations)
        scored = scored_of(info.output, [example.target for example in examples], predictions, info.positive)
        validated = None if fitted.answers is None else _scored_validation(fitted.answers, context)
    except context.session.caught as error:
        status, reason, trace = status_of(error)
        return msgspec.structs.replace(result, status=status, reason=reason, traceback=trace)
    path = predictions_path(Path(order.folder), result.seed)
    scores.write_predictions(path, result.seed, examples, scored)
    folder = path.parent
    validation_predictions.write(folder, result.seed, context.validation, validated)
    paid += result.encode_paid_seconds
    return msgspec.structs.replace(
        result,
        predict_seconds=seconds,
        encode_paid_seconds=paid,
        predictions=path.name,
        digests=digests_of(folder, [path.name, validation_path(folder, result.seed).name]),
        truncated={**result.truncated, **truncated_shares({"test": data})},
    )


def _with_answers(order: FitOrder, context: CellContext, fitted: Sequence[Fitted]) -> list[FitResult]:
    """Writes the predictions of the validation split that fits of a search made, and returns results with digests.

    A fit without such predictions has no file.
    """
    results, folder = [], Path(order.folder)
    for one in fitted:
        result = one.result
        if one.answers is not None and result.validation is not None:
            scored = _scored_validation(one.answers, context)
            validation_predictions.write(folder, result.seed, context.validation, scored)
            digests = digests_of(folder, [validation_path(folder, result.seed).name])
            result = msgspec.structs.replace(result, digests=digests)
        results.append(result)
    return results


def _scored_validation(predictions: Predictions, context: CellContext) -> Scored:
    """Returns a fit's predictions of the validation split with its targets."""
    info, targets = context.info, [example.target for example in context.validation]
    return scored_of(info.output, targets, predictions, info.positive)


def _score_cell(order: FitOrder, context: CellContext) -> OrderResult:
    """Scores the stored predictions of all seeds, or returns the seeds whose predictions don't fit the test split."""
    folder, seeds, test = Path(order.folder), [fit.seed for fit in order.fits], context.test()
    answers: dict[int, Scored] = {}
    misfits: dict[int, str] = {}
    metrics = [context.session.catalog.metric(name) for name in context.info.metrics]
    for seed in seeds:
        table = read_seed(predictions_path(folder, seed), seed)
        try:
            answers[seed] = scores.usable_predictions(table, test, context.info, metrics)
        except scores.UnusablePredictions as target_error:
            misfits[seed] = str(target_error)
    if misfits:
        return OrderResult(misfits=misfits)
    made = scores.scores(answers, test, context.task.item, metrics, context.session.caught)
    gathered = scores.gather(folder, answers, test, context.info.output, context.session.caught)
    protocol, validation = context.cell.protocol, context.validation
    kept = validation_predictions.gather(folder, seeds, validation, protocol, context.info, metrics)
    return OrderResult(
        scores=made.scores,
        report=made.report,
        floor=floor_of(answers, made.scores, context, seeds[0]),
        left_out=made.left_out,
        overlap=context.overlap(),
        test_groups=made.test_groups,
        predictions=gathered,
        validation_predictions=kept.name,
        no_validation_predictions=kept.reason,
        digests=digests_of(folder, [gathered, kept.name]),
    )


def _latencies(order: FitOrder, context: CellContext) -> tuple[Latency, ...]:
    """Returns the latency of the kept model of the order's fit, or without a fit that of the cell's backbone."""
    if not order.fits:
        return measure_latency(context)
    folder = checked_predictor(Path(order.folder))
    _, predictor, _ = saved.load_predictor(folder, order.fits[0], context, "final")
    return measure_fitted_latency(context, predictor)


def _fit_id(order: FitOrder) -> str:
    cell, fit = order.cell, order.fits[0]
    return cell.fits_id + cell.fit_id(fit.params, fit.seed)


def _nothing() -> bool:
    """Does nothing and returns True, for a predictor that has no encoder to restore."""
    return True
