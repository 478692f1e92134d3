"""The files that an order reads and writes in the folder of its cell, for executors whose workers have no such folder.

A worker carries such an order out in a folder of its own, and the driver puts its files into the cell's folder once it
has accepted the result: an attempt that was given up never writes there. Importing this imports no torch.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from tlbench.contracts.executor import FitOrder
from tlbench.results.models.kept_models import working_path
from tlbench.running.scoring.prediction_files import predictions_path, validation_path

Files = Mapping[str, bytes]
"""The content of files, by their path within the folder, with `/` between names."""
_HERE = Path()


def read_names(order: FitOrder, folder: Path) -> list[str]:
    """Returns the paths of the existing files that an order may read in a cell's folder, relative to the folder."""
    wanted: list[Path] = []
    if order.purpose == "score":
        wanted = [path(folder, fit.seed) for fit in order.fits for path in (predictions_path, validation_path)]
    elif order.purpose == "final":
        saved = [folder / f"saved-{fit.trial}" for fit in order.fits]
        wanted = [path for one in saved for path in one.rglob("*")]
        if wanted:
            # A saved predictor is used only if its result is that of the trial.
            wanted += folder.glob("trials-*.json")
    return sorted(path.relative_to(folder).as_posix() for path in wanted if path.is_file() and not path.is_symlink())


def written_names(order: FitOrder) -> list[str]:
    """Returns the names of the files and folders that an order may write in a cell's folder."""
    if order.purpose == "score":
        return ["predictions.parquet", "validation.parquet"]
    if order.purpose == "final":
        paths = (predictions_path, validation_path, working_path)
        return [str(path(_HERE, fit.seed)) for fit in order.fits for path in paths]
    if order.purpose == "search":
        return [
            *(f"saved-{fit.trial}" for fit in order.fits),
            *(str(validation_path(_HERE, fit.seed)) for fit in order.fits if order.keep_answers),
        ]
    return []


def worker_folder(order: FitOrder, token: str) -> Path:
    """Returns a folder for one attempt at an order, within that of the order; the token has hexadecimal digits."""
    # A name of what is removed with the cell's incomplete predictors, for drivers that are killed.
    return Path(order.folder) / f".saved-{order.fits[0].trial if order.fits else 0}.{token}.tmp"


def read_files(folder: Path, names: list[str]) -> dict[str, bytes]:
    """Returns the content of files, by their path within the folder."""
    return {name: (folder / name).read_bytes() for name in names}


def all_files(folder: Path) -> dict[str, bytes]:
    """Returns the content of all regular files of a folder, by their path within it."""
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(paths)}


def write_files(folder: Path, files: Files) -> None:
    """Writes files to a folder, which is created.

    Raises:
        ValueError: A path leads out of the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or PurePosixPath(name).is_absolute():
            raise ValueError(f"a file has the path {name!r}, which leads out of its folder")
        path = folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def link_files(source: Path, target: Path, names: list[str]) -> None:
    """Makes files of one folder available in another one, which is created: as links where the file system can."""
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source / name, path)
        except OSError:
            shutil.copyfile(source / name, path)


def accept_files(order: FitOrder, made: Path) -> None:
    """Moves what a worker wrote for an order into the order's folder, and removes there what it did not write again.

    Args:
        order: The order, whose result is accepted.
        made: The worker's folder, on the same file system as that of the order. What the order may not write stays.
    """
    folder = Path(order.folder)
    for name in written_names(order):
        found = made / name
        if found.is_symlink():
            continue
        if found.is_dir():
            _remove(folder / name)
            found.rename(folder / name)
        elif found.is_file():
            found.replace(folder / name)
        elif order.purpose != "search":
            # As a worker in the folder does: a fit without predictions of a split must not leave those of another.
            _remove(folder / name)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
