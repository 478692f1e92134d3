"""Finds and deletes all files of a cell in a results folder."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tlbench.contracts.cell import Cell
from tlbench.contracts.errors import StoreError
from tlbench.contracts.record import Record
from tlbench.results.records.kept_predictions import SUFFIX, VALIDATION_SUFFIX
from tlbench.results.records.record_files import attempts_in, read_record
from tlbench.system.integrity.sealed_files import read_sealed

_PLACES = (
    ("records", "record", ".json"),
    ("records", "predictions", SUFFIX),
    ("records", "predictions", VALIDATION_SUFFIX),
    ("models", "models", ""),
    ("work", "work", ""),
)
"""Subfolder, kind and name suffix of the files and folders that belong to a cell."""


@dataclass(frozen=True)
class StoredCell:
    """Everything that a results folder holds of one cell."""

    id: str
    records: tuple[Path, ...]
    """The record of each attempt, newest first."""
    predictions: tuple[Path, ...]
    """The test and validation predictions of each attempt."""
    work: tuple[Path, ...]
    """The work folder of each attempt."""
    models: tuple[Path, ...] = ()
    """The folder of kept models of each attempt."""

    def read(self) -> tuple[Cell | None, str]:
        """Returns the cell and the status of its newest record: "unfinished" without a record, "damaged" if unreadable.

        The cell is None if no file says what it is.
        """
        newest = [read_record(path) for path in self.records[:1]]
        if newest and isinstance(newest[0], Record):
            return newest[0].cell, newest[0].status
        for folder in self.work:
            cell: Cell | None = read_sealed(folder / "cell.json", Cell)
            if cell is not None and cell.id == self.id:
                return cell, "damaged" if newest else "unfinished"
        return None, "damaged" if newest else "unfinished"

    @property
    def size_bytes(self) -> int:
        """Size of all files together."""
        folders = (*self.work, *self.models)
        files = [*self.records, *self.predictions, *(file for folder in folders for file in folder.rglob("*"))]
        total = 0
        for file in files:
            with suppress(OSError):
                total += file.lstat().st_size
        return total

    def delete(self) -> None:
        """Removes all files of the cell.

        Raises:
            StoreError: A file cannot be removed; the same deletion can be tried again.
        """
        try:
            # Records first: after an interruption, the cell counts as deleted, whatever is left of it.
            for path in (*self.records, *self.predictions):
                path.unlink(missing_ok=True)
            for folder in (*self.models, *self.work):
                # Of a symbolic link, remove the link itself and not its target.
                if folder.is_symlink() or not folder.is_dir():
                    folder.unlink(missing_ok=True)
                else:
                    shutil.rmtree(folder)
        except OSError as error:
            raise StoreError(f"{error.filename}: cannot be removed: {error.strerror}; fix this and try again") from None


def stored_cells(root: Path) -> Mapping[str, StoredCell]:
    """Returns, by id, the cells of which a results folder holds a record, predictions, models or a work folder.

    Raises:
        StoreError: A folder of it, such as "records", is a symbolic link, so that files elsewhere would be removed.
    """
    found: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for folder, kind, suffix in _PLACES:
        if (root / folder).is_symlink():
            raise StoreError(f"{root / folder}: is a link, and nothing is removed through links: remove it")
        # Predictions and work folders are named as records are, with another suffix.
        names = [f"{name.removesuffix(suffix)}.json" for name in _listed(root / folder) if name.endswith(suffix)]
        for cell_id, attempt in sorted(attempts_in(names), reverse=True):
            found[cell_id][kind].append(root / folder / f"{cell_id}.{attempt}{suffix}")
    return {
        cell_id: StoredCell(
            cell_id,
            tuple(kinds["record"]),
            tuple(kinds["predictions"]),
            tuple(kinds["work"]),
            tuple(kinds["models"]),
        )
        for cell_id, kinds in sorted(found.items())
    }


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
