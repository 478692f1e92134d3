"""Cells of a search that another one replaces, with more seeds or with those that were finished in time."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from tlbench.contracts.errors import StoreError
from tlbench.contracts.record import Record
from tlbench.results.models.kept_models import kept_models, working_path
from tlbench.results.models.model_folder import MANIFEST, read_manifest
from tlbench.results.records.deletion import stored_cells
from tlbench.results.records.store import Store
from tlbench.system.durable import write_durably


def models_of(store: Store, record: Record) -> tuple[Path, ...]:
    """Returns the folders of the models of a cell, also of one whose work folder still has them."""
    kept = tuple(one.folder for one in kept_models(store.root, record))
    work = store.work(record.cell.id, record.attempt)
    return kept or tuple(sorted(path for path in work.glob("model-*") if path.is_dir()))


def carry_models(folders: Iterable[Path], work: Path, cell_id: str) -> None:
    """Copies models to the work folder of a cell that reuses their fits; one that cannot be copied is left out."""
    for folder in folders:
        with suppress(StoreError, OSError):
            manifest = read_manifest(folder)
            target = working_path(work, manifest.seed)
            shutil.copytree(folder, target)
            write_durably(target / MANIFEST, msgspec.json.encode(msgspec.structs.replace(manifest, cell=cell_id)))


def remove_cell(store: Store, cell_id: str) -> None:
    """Removes a cell's record with all that belongs to it; one that cannot be removed stays."""
    if (cell := stored_cells(store.root).get(cell_id)) is not None:
        with suppress(StoreError):
            cell.delete()
