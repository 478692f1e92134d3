"""The predictor of a search's best trial on disk, so that a kill does not cost another fit of the winner."""

from __future__ import annotations

import secrets
import shutil
import stat
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from tlbench.contracts.executor import Fit, FitOrder
from tlbench.contracts.record import FitResult
from tlbench.running.cells.cell_folder import CellFolder
from tlbench.running.fitting.context import CellContext
from tlbench.running.fitting.fit import Fitted
from tlbench.running.fitting.job import Reports, job_of
from tlbench.running.fitting.session import Faults
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


def save(order: FitOrder, fit_id: str, fitted: Fitted, faults: Faults) -> None:
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
        shutil.rmtree(target, ignore_errors=True)  # of a process that was killed before it could tell of its fit
        temporary.rename(target)
    except faults as error:
        # A full disk, or a plugin's mistake: the fit is finished all the same.
        print(f"{order.cell.title}: the predictor was not saved: {type(error).__name__}: {error}", file=sys.stderr)
        shutil.rmtree(temporary, ignore_errors=True)


def load(order: FitOrder, fit_id: str, context: CellContext) -> Fitted | None:
    """Returns the fit that was saved, or None where there is none.

    It is that of the trial which won, told by all that was measured of it, and scores on the validation split what it
    did then.
    """
    fit = order.fits[0]
    cell_folder = CellFolder(Path(order.folder))
    folder = folder_of(cell_folder.root, fit)
    with suppress(OSError, msgspec.DecodeError):
        if not _holds_files_alone(folder):
            return None
        saved = msgspec.json.decode((folder / "result.json").read_bytes(), type=_Result)
        if saved.fit_id == fit_id and cell_folder.trials().get(fit.trial) == saved.result:
            return _loaded(folder / "predictor", fit, saved.result, context)
    return None


def _holds_files_alone(folder: Path) -> bool:
    """Says whether there is nothing but files and folders: a folder may have been sent."""
    modes = [path.lstat().st_mode for path in (folder, *folder.rglob("*"))]
    return all(stat.S_ISREG(mode) or stat.S_ISDIR(mode) for mode in modes)


def _loaded(folder: Path, fit: Fit, result: FitResult, context: CellContext) -> Fitted | None:
    activations = context.session.activations
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
