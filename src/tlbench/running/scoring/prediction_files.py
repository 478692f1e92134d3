"""Parquet files of test and validation predictions in a cell's folder. Importing this imports no torch."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.contracts.untrusted.parquet_files import ParquetProblem, parquet_file
from tlbench.system.durable import sync_folder
from tlbench.system.integrity.sealed_json import file_digest

if TYPE_CHECKING:
    import pyarrow as pa


def predictions_path(folder: Path, seed: int) -> Path:
    """Returns the path of a seed's test predictions in a cell's folder."""
    return folder / f"seed-{seed}.parquet"


def validation_path(folder: Path, seed: int) -> Path:
    """Returns the path of a final fit's predictions of the validation split in a cell's folder."""
    return folder / f"validation-{seed}.parquet"


def write_table(path: Path, table: pa.Table) -> None:
    """Writes a Parquet file atomically and flushes it to the disk."""
    import pyarrow.parquet as pq

    # Renamed only when complete, so that a kill never leaves half a file under the final name. The random part of the
    # name keeps two processes from writing to one temporary file.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        with temporary.open("wb") as file:
            pq.write_table(table, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        # A failed write, unlike a failed open, does not say which file it was.
        error.filename = error.filename or str(path)
        raise


def digests_of(folder: Path, names: Iterable[str | None]) -> dict[str, str]:
    """Returns the digests of those files of a folder that exist, by name; None among the names is left out.

    Raises:
        OSError: A file cannot be read.
    """
    return {name: file_digest(folder / name) for name in names if name and (folder / name).is_file()}


def read_seed(path: Path, seed: int, digest: str = "") -> pa.Table | None:
    """Returns the rows of one seed in a file of predictions, or None if they cannot be read or the digest differs."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        if digest and file_digest(path) != digest:
            return None
        with parquet_file(path) as file:
            table = file.table(file.schema.names)
        return table.filter(pc.equal(table["seed"], seed))
    except (OSError, KeyError, ParquetProblem, pa.ArrowException):
        return None
