"""Saves predictors: of a search's best trial for the case of a kill, and of final fits if models are kept."""

from __future__ import annotations

import secrets
import shutil
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from tlbench.contracts.cell import FitPurpose
from tlbench.contracts.errors import StoreError
from tlbench.contracts.executor import Fit, FitOrder
from tlbench.contracts.fits.job import Job
from tlbench.contracts.fits.predictor import Predictor
from tlbench.contracts.record import FitResult
from tlbench.contracts.untrusted.regular_files import refuse_unsafe_tree
from tlbench.results.models.kept_models import drop_worse, working_path
from tlbench.results.models.model_folder import write_model
from tlbench.running.cells.cell_folder import CellFolder
from tlbench.running.fitting.build_job import ProgressReporter, build_job, validation_score
from tlbench.running.fitting.context import CellContext, FitData
from tlbench.running.fitting.fit import Fitted
from tlbench.running.fitting.measuring.timing import FitTimers, predict
from tlbench.running.fitting.session import CaughtErrors
from tlbench.system.integrity.sealed_files import read_sealed, write_sealed_quickly
from tlbench.system.integrity.sealed_json import file_digest

BYTES_PER_SECOND, FILE_SECONDS = 200e6, 0.05
"""The write speed of a slow disk, and the additional time that it needs for each file."""
SHARE = 0.02
"""Maximum time for saving a predictor, as a share of its fit's time. If saving would take longer, the fit is so short
that it can be repeated instead."""
WANTED_SHARE = 0.1
"""The same for an order with `keep_answers`, whose winner will surely be needed again."""
WEIGHT_BYTES = 4


class _Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fit_id: str
    result: FitResult
    files: dict[str, str] = {}
    """The digests of the predictor's files by path; empty in folders of earlier versions."""


def saved_folder(cell_folder: Path, fit: Fit) -> Path:
    """Returns the folder of a trial's predictor."""
    return cell_folder / f"saved-{fit.trial}"


def is_worth_saving(result: FitResult, share: float = SHARE) -> bool:
    """Returns whether a fit took long enough for saving its weights to take at most this share of its time."""
    seconds = FILE_SECONDS + result.trainable_parameters * WEIGHT_BYTES / BYTES_PER_SECOND
    return seconds <= share * result.fit_seconds


def save(order: FitOrder, fit_id: str, fitted: Fitted, caught: CaughtErrors) -> None:
    """Writes a predictor atomically to the cell's folder, if it has a `save` method and its fit is worth saving."""
    write = getattr(fitted.predictor, "save", None)
    share = WANTED_SHARE if order.keep_answers else SHARE
    if write is None or not order.folder or not is_worth_saving(fitted.result, share):
        return
    target = saved_folder(Path(order.folder), order.fits[0])
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    try:
        temporary.mkdir()
        write(temporary / "predictor")
        files = _digests(temporary / "predictor")
        write_sealed_quickly(temporary / "result.json", _Result(fit_id, fitted.result, files))
        shutil.rmtree(target, ignore_errors=True)  # left by a process that was killed before its result was stored
        temporary.rename(target)
    except caught as error:
        # A full disk or a mistake in a plugin. The fit itself is finished, so it is only not saved.
        print(f"{order.cell.title}: the predictor was not saved: {type(error).__name__}: {error}", file=sys.stderr)
        shutil.rmtree(temporary, ignore_errors=True)


def load(order: FitOrder, fit_id: str, context: CellContext) -> Fitted | None:
    """Returns the saved fit of the winner, or None if there is none that can be trusted.

    To be trusted, the fit must belong to the winning trial, its result must equal that of the trial (including the
    times), and its predictor must give the same validation score as before.
    """
    fit = order.fits[0]
    cell_folder = CellFolder(Path(order.folder))
    folder = saved_folder(cell_folder.root, fit)
    with suppress(OSError, StoreError):
        # Loading may follow links or read pipes, and the folder may come from somebody else.
        refuse_unsafe_tree(folder)
        saved = read_sealed(folder / "result.json", _Result)
        if saved is None or (saved.fit_id, saved.result.trial) != (fit_id, fit.trial):
            return None
        trials = [msgspec.structs.replace(trial, digests={}) for trial in cell_folder.trials()]
        if saved.result in trials and saved.files in ({}, _digests(folder / "predictor")):
            return _loaded(folder / "predictor", fit, saved.result, context)
    return None


def _digests(folder: Path) -> dict[str, str]:
    """Returns the digests of all files of a folder, by their paths in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): file_digest(path, None) for path in files}


def keep_model(order: FitOrder, fitted: Fitted, result: FitResult, context: CellContext) -> None:
    """Writes the predictor of a final fit to the cell's folder if the order keeps models.

    If only the best seed's model is kept, worse ones of seeds that are finished are removed.
    """
    write = getattr(fitted.predictor, "save", None)
    if order.keep_models == "none" or write is None or not order.folder or result.status != "ok":
        return
    root = Path(order.folder)
    try:
        write_model(working_path(root, result.seed), order.cell.id, result, write)
        if order.keep_models == "best-seed":
            drop_worse(root, order.cell.protocol.seeds, context.metric.greater_is_better)
    except context.session.caught as error:
        # A full disk or a mistake in a plugin. The fit itself is finished, so only its model is not kept.
        print(f"{order.cell.title}: the model is not kept: {type(error).__name__}: {error}", file=sys.stderr)


def load_predictor(folder: Path, fit: Fit, context: CellContext, purpose: FitPurpose) -> tuple[Job, Predictor, FitData]:
    """Returns the predictor that was saved in a folder, on a fresh encoder, with its job and the job's data."""
    activations = context.session.activations
    encoder = context.encoder.fresh() if context.encoder else None
    if encoder is not None:
        # As in a fit: the encoder's weights have just been restored, so cached activations are valid.
        activations.trust(encoder)
    data = context.fit_data(fit.seed, purpose)
    job = build_job(fit, context, encoder, data, ProgressReporter(context, {}), FitTimers(activations))
    return job, context.strategy.item.load(job, folder), data


def _loaded(folder: Path, fit: Fit, result: FitResult, context: CellContext) -> Fitted | None:
    try:
        job, predictor, data = load_predictor(folder, fit, context, "search")
        if data.validation is None:
            return None
        answers = predict(predictor, data.validation)
        if float(validation_score(context, data.validation, answers)) == result.validation:
            return Fitted(result, predictor, answers, job)
        problem = "its validation score differs from the one when it was saved"
    except context.session.caught as error:
        problem = f"{type(error).__name__}: {error}"
    print(f"{context.cell.title}: the saved predictor is not used: {problem}", file=sys.stderr)
    return None
