"""The predictor of a search's best trial on disk, so that a kill does not cost another fit of the winner."""

from __future__ import annotations

import secrets
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from tlbench.contracts.order import Fit, FitOrder
from tlbench.contracts.record import FitResult
from tlbench.running.fitting.context import CellContext
from tlbench.running.fitting.fit import Fitted
from tlbench.running.fitting.job import Reports, job_of
from tlbench.running.fitting.timing import Watches

BYTES_PER_SECOND, FILE_SECONDS = 200e6, 0.05
"""What a slow disk writes, and takes for a file."""
SHARE = 0.02
"""A fit is saved where writing its weights takes at most this share of its seconds; else it is as quickly made anew."""
WEIGHT_BYTES = 4


class _Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fit_id: str
    result: FitResult


def folder_of(cell_folder: Path, fit: Fit) -> Path:
    """Returns where the predictor of a trial is kept."""
    return cell_folder / f"saved-{fit.trial}"


def is_worth_it(result: FitResult) -> bool:
    """Says whether a fit took long enough for its weights to be written."""
    seconds = FILE_SECONDS + result.trainable_parameters * WEIGHT_BYTES / BYTES_PER_SECOND
    return seconds <= SHARE * result.fit_seconds


def save(order: FitOrder, fit_id: str, fitted: Fitted) -> None:
    """Writes a predictor to the cell's folder, whole or not at all; one that has no `save` will be fitted again."""
    write = getattr(fitted.predictor, "save", None)
    if write is None or not order.folder or not is_worth_it(fitted.result):
        return
    target = folder_of(Path(order.folder), order.fits[0])
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    try:
        temporary.mkdir()
        write(temporary / "predictor")
        (temporary / "result.json").write_bytes(msgspec.json.encode(_Result(fit_id, fitted.result)))
        temporary.rename(target)
    except Exception as error:
        # A full disk, or a plugin's mistake: the fit is finished all the same.
        print(f"{order.cell.title}: the predictor was not saved: {type(error).__name__}: {error}", file=sys.stderr)
        shutil.rmtree(temporary, ignore_errors=True)


def load(order: FitOrder, fit_id: str, context: CellContext) -> Fitted | None:
    """Returns the fit that was saved, or None where there is none that scores on the validation split what it did."""
    fit = order.fits[0]
    folder = folder_of(Path(order.folder), fit)
    with suppress(OSError, msgspec.DecodeError):
        saved = msgspec.json.decode((folder / "result.json").read_bytes(), type=_Result)
        if saved.fit_id == fit_id and saved.result.params == fit.params:
            return _loaded(folder / "predictor", fit, saved.result, context)
    return None


def _loaded(folder: Path, fit: Fit, result: FitResult, context: CellContext) -> Fitted | None:
    activations: Any = context.session.activations
    try:
        encoder = context.encoder.fresh() if context.encoder else None
        if encoder is not None:
            activations.trust(encoder)
        train, validation = context.train(fit.seed), context.data(context.splits.validation)
        job = job_of(fit, context, encoder, train.metered(), validation, Reports(context, {}), Watches(activations))
        predictor = context.strategy.item.load(job, folder)
        if float(job.score(predictor)) == result.validation:
            return Fitted(result, predictor)
        problem = "scores another validation score than when it was saved"
    except context.session.faults as error:
        problem = f"{type(error).__name__}: {error}"
    print(f"{context.cell.title}: the saved predictor is not used: {problem}", file=sys.stderr)
    return None
