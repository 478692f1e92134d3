"""The models of a results folder: `models/<cell>.<attempt>/<seed>/`, moved there when their cell is committed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tlbench.contracts.errors import StoreError
from tlbench.contracts.executor import KeepModels
from tlbench.contracts.record import FitResult, Record
from tlbench.contracts.untrusted.regular_files import refuse_link
from tlbench.results.models.model_folder import ModelManifest, read_manifest, remove_folder

MODELS = "models"


@dataclass(frozen=True)
class KeptModel:
    """A model in a results folder."""

    folder: Path
    manifest: ModelManifest


def model_path(root: Path, cell_id: str, attempt: int, seed: int) -> Path:
    """Returns the folder of a seed's model in a results folder, which may not exist."""
    return root / MODELS / f"{cell_id}.{attempt}" / str(seed)


def working_path(work: Path, seed: int) -> Path:
    """Returns the folder of a seed's model in a cell's work folder, until the cell is committed."""
    return work / f"model-{seed}"


def kept_models(root: Path, record: Record) -> tuple[KeptModel, ...]:
    """Returns the models of a record's final fits, in the order of the seeds; their files are not checked.

    A model that cannot be read, or that is of another fit, is left out.
    """
    return _models(record, lambda seed: model_path(root, record.cell.id, record.attempt, seed))


def unusable_model(root: Path, record: Record, fit: FitResult) -> str:
    """Returns why what lies in the place of a final fit's model is left out by `kept_models`; empty if nothing is."""
    folder = model_path(root, record.cell.id, record.attempt, fit.seed)
    if not os.path.lexists(folder):
        return ""
    try:
        is_own = read_manifest(folder).is_of(record.cell.id, fit)
    except StoreError as error:
        return str(error)
    return "" if is_own else f"{folder}: it is of another fit"


def best_fit(fits: Sequence[FitResult], greater_is_better: bool) -> FitResult:
    """Returns the final fit with the best validation score; the first of equals, or if there are no scores."""
    sign = 1.0 if greater_is_better else -1.0
    scores = [-float("inf") if fit.validation is None else sign * fit.validation for fit in fits]
    return fits[scores.index(max(scores))]


def keep_models(record: Record, work: Path, root: Path, keep: KeepModels, greater_is_better: bool) -> int:
    """Moves models of a finished cell from its work folder to the results folder; returns how many there are then.

    Args:
        record: The record, which is about to be committed.
        work: The work folder, to which the workers have written models.
        root: The results folder.
        keep: Which seeds' models are kept.
        greater_is_better: The direction of the primary metric.

    Raises:
        StoreError: A folder cannot be written, or is a link.
    """
    if keep == "none" or record.status != "ok":
        return 0
    best = best_fit(record.fits, greater_is_better).seed
    for model in _models(record, lambda seed: working_path(work, seed)):
        if keep == "best-seed" and model.manifest.seed != best:
            continue
        target = model_path(root, record.cell.id, record.attempt, model.manifest.seed)
        refuse_link(target.parent, target.parent.parent)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            remove_folder(target)
            os.replace(model.folder, target)
        except OSError as error:
            raise StoreError(
                f"{target}: cannot be written: {error.strerror or error}: fix this and run again"
            ) from None
    # Nothing reads the models of an attempt that was repeated.
    for folder in (root / MODELS).glob(f"{record.cell.id}.*"):
        if folder.name != f"{record.cell.id}.{record.attempt}":
            remove_folder(folder)
    return len(kept_models(root, record))


def drop_worse(work: Path, seeds: Sequence[int], greater_is_better: bool) -> None:
    """Removes the models in a work folder except the best by validation score, which `best_fit` would choose."""
    sign = 1.0 if greater_is_better else -1.0
    found: list[tuple[float, int, Path]] = []
    for place, seed in enumerate(seeds):
        with suppress(StoreError):
            score = read_manifest(folder := working_path(work, seed)).validation
            found.append((-float("inf") if score is None else sign * score, -place, folder))
    # The order is total, so workers that do this side by side never remove the best.
    for _, _, folder in sorted(found)[:-1]:
        remove_folder(folder)


def _models(record: Record, path_of: Callable[[int], Path]) -> tuple[KeptModel, ...]:
    found = []
    for fit in record.fits:
        with suppress(StoreError):
            folder = path_of(fit.seed)
            manifest = read_manifest(folder)
            if manifest.is_of(record.cell.id, fit):
                found.append(KeptModel(folder, manifest))
    return tuple(found)
