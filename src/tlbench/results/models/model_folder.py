"""One kept model on disk: the predictor of a final fit with the digests of its files, validated before it is read.

model.json     the fit, and the size and SHA-256 digest of each file
predictor/     what `Predictor.save` wrote: safetensors and JSON

A results folder may come from someone else. So nothing is followed (no links), nothing but regular files is opened, the
formats are those that cannot execute code, and every file must be as `model.json` says.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Annotated

import msgspec

from tlbench.contracts.errors import StoreError
from tlbench.contracts.record import FitResult
from tlbench.contracts.space import Value
from tlbench.contracts.untrusted.regular_files import open_regular, read_regular_file, reason_of, refuse_link
from tlbench.system.durable import write_durably

MANIFEST = "model.json"
PREDICTOR = "predictor"
SUFFIXES = {".safetensors": 2**40, ".json": 2**30}
"""The formats of files that are kept, each with the largest size in bytes that is read."""
_MOST_FILES = 1000
_MANIFEST_BYTES = 2**20
_BLOCK = 2**20


class ModelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The size and the digest of one file."""

    bytes: Annotated[int, msgspec.Meta(ge=0)]
    sha256: str


class ModelManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The final fit that a model comes from, and its files by their paths in the folder."""

    cell: str
    """The id of the cell."""
    seed: int
    params: dict[str, Value]
    validation: float | None
    files: dict[str, ModelFile]
    format: int = 1

    @property
    def size_bytes(self) -> int:
        """Size of all files together."""
        return sum(file.bytes for file in self.files.values())

    def is_of(self, cell_id: str, fit: FitResult) -> bool:
        """Returns whether the model comes from this final fit."""
        mine = (self.cell, self.seed, self.params, self.validation)
        return mine == (cell_id, fit.seed, fit.params, fit.validation)


def write_model(folder: Path, cell_id: str, fit: FitResult, save: Callable[[Path], None]) -> ModelManifest:
    """Writes a model to a new folder, which is complete or absent after a crash; returns its manifest.

    Args:
        folder: The folder; one that exists is replaced.
        cell_id: The id of the cell.
        fit: The final fit.
        save: `Predictor.save`.

    Raises:
        StoreError: The predictor wrote a file of another format than safetensors and JSON, or no file.
        OSError: The disk is full, or the folder cannot be written.
    """
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(6)}.tmp")
    try:
        temporary.mkdir(parents=True)
        save(temporary / PREDICTOR)
        files = {name: _described(temporary / name, synced=True) for name in _names(temporary)}
        if not files:
            raise StoreError(f"{folder}: the predictor wrote no file")
        manifest = ModelManifest(cell_id, fit.seed, fit.params, fit.validation, files)
        write_durably(temporary / MANIFEST, msgspec.json.encode(manifest))
        remove_folder(folder)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return manifest


def read_manifest(folder: Path) -> ModelManifest:
    """Returns what a folder says of its model, without reading the model.

    Raises:
        StoreError: There is no manifest, or it is damaged or of a newer version.
    """
    path = folder / MANIFEST
    try:
        _refuse_links(folder)
        manifest = msgspec.json.decode(read_regular_file(path, _MANIFEST_BYTES), type=ModelManifest)
    except (OSError, ValueError, RecursionError) as error:  # msgspec's own errors are ValueErrors
        raise StoreError(f"{path}: no model can be read from it: {reason_of(error)}") from None
    if manifest.format != 1:
        raise StoreError(f"{path}: of format {manifest.format}, made by a newer tlbench: upgrade tlbench to read it")
    return manifest


def checked_predictor(folder: Path) -> Path:
    """Returns the folder for `Strategy.load`, after checking that every file is as the manifest says.

    Raises:
        StoreError: A file is missing, added, changed, a link, too large or of another format.
    """
    manifest = read_manifest(folder)
    try:
        names = [name for name in _names(folder) if name != MANIFEST]
        if odd := sorted({*names} ^ {*manifest.files}):
            raise StoreError(f"{folder}: {odd[0]} is {'missing' if odd[0] in manifest.files else 'not part of it'}")
        for name in names:
            # The size first: hashing a sparse file of terabytes would take hours.
            path = folder / name
            if path.lstat().st_size != manifest.files[name].bytes or _described(path) != manifest.files[name]:
                raise StoreError(f"{folder / name}: it has changed since it was written")
    except OSError as error:
        raise StoreError(f"{folder}: no model can be read from it: {reason_of(error)}") from None
    return folder / PREDICTOR


def remove_folder(folder: Path) -> None:
    """Removes a folder with all it contains, or the link of this name; does nothing if there is none."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def _names(folder: Path) -> list[str]:
    """Returns the paths of all files in a folder, relative to it.

    Raises:
        StoreError: There is something else than a regular file of a known format and size, or too many files.
    """
    names: list[str] = []
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode):
            continue
        if not stat.S_ISREG(status.st_mode):
            raise StoreError(f"{path}: not a regular file: remove the folder")
        if status.st_size > SUFFIXES.get(path.suffix, -1):
            raise StoreError(f"{path}: a model has files of {' and '.join(SUFFIXES)}, no larger than some GiB")
        names.append(PurePosixPath(path.relative_to(folder)).as_posix())
        if len(names) > _MOST_FILES:
            raise StoreError(f"{folder}: more than {_MOST_FILES} files")
    return names


def digest_of_files(folder: Path) -> str:
    """Returns a digest of the names and contents of all files of a folder, in sixteen hex digits.

    Raises:
        StoreError: The folder or a folder above it in the results is a link, or holds something else than files.
        OSError: A file cannot be read.
    """
    _refuse_links(folder)
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if stat.S_ISDIR(path.lstat().st_mode):
            continue
        if not stat.S_ISREG(path.lstat().st_mode):
            raise StoreError(f"{path}: not a regular file: remove the folder")
        digest.update(f"{path.relative_to(folder).as_posix()} {_described(path).sha256}\n".encode())
    return digest.hexdigest()[:16]


def _described(path: Path, synced: bool = False) -> ModelFile:
    digest, size = hashlib.sha256(), 0
    with open_regular(path) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
        if synced:
            with suppress(OSError):
                os.fsync(file.fileno())
    return ModelFile(size, digest.hexdigest())


def _refuse_links(folder: Path) -> None:
    # Of the folder itself and its two parents, which belong to the results folder.
    refuse_link(folder, folder.parent, folder.parent.parent)
