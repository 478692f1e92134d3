"""Packs records with their predictions for others, as a folder or as a ZIP archive."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tlbench.contracts.cell import Plan
from tlbench.contracts.errors import StoreError, UsageError
from tlbench.contracts.record import Record
from tlbench.contracts.untrusted.regular_files import read_regular_file
from tlbench.results.records.kept_predictions import SUFFIX, VALIDATION_SUFFIX
from tlbench.results.records.store import Store
from tlbench.results.submissions.manifest import (
    LARGEST_TOTAL,
    MANIFEST,
    SubmissionManifest,
    is_submitted_name,
    largest_size,
    listed,
)
from tlbench.system.durable import write_durably
from tlbench.system.version import VERSION

_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The date of every file of an archive, so that equal records give equal bytes."""


def packed_files(store: Store, cells: Sequence[str], name: str, by: str = "", note: str = "") -> dict[str, bytes]:
    """Returns the files of a submission by their path within it, `submission.json` last.

    Args:
        store: The folder of results.
        cells: Ids of the cells.
        name: Name of the leaderboard.
        by: Who submits it.
        note: What readers should know.

    Raises:
        StoreError: A record or its predictions cannot be read.
        UsageError: The files are larger than a submission may be.
    """
    records = [_record(store, cell) for cell in sorted(cells)]
    files = {"tlbench.json": _read(store.root / "tlbench.json")}
    plan = store.plan()
    chosen = {record.cell.id for record in records}
    references = () if plan is None else plan.references
    # Only the cells that are submitted: others would be shown as "to come".
    files["plan.json"] = msgspec.json.encode(Plan(name, tuple(record.cell for record in records), (), references))
    for record in records:
        path = store.record_path(record.cell.id, record.attempt)
        files[f"records/{path.name}"] = _read(path)
        expected = {f"{path.stem}{SUFFIX}", f"{path.stem}{VALIDATION_SUFFIX}"}
        for file in (record.predictions, record.validation_predictions):
            if file is None:
                continue
            if file not in expected:
                raise StoreError(f"{path}: it names the predictions of another record: run the cell again")
            files[f"records/{file}"] = _read(path.with_name(file))
    assert chosen
    assert all(map(is_submitted_name, files))
    _check_sizes(files)
    manifest = SubmissionManifest(
        name, {name: listed(content) for name, content in files.items()}, 1, by, note, VERSION
    )
    files[MANIFEST] = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    return files


def write_submission(files: dict[str, bytes], target: Path) -> None:
    """Writes the files of a submission to an archive, if the name ends with `.zip`, or else to a new folder.

    Raises:
        UsageError: The target exists, or cannot be written.
    """
    if target.exists() or target.is_symlink():
        raise UsageError(f"--to {target}: it exists: give a new name")
    try:
        if target.suffix == ".zip":
            target.parent.mkdir(parents=True, exist_ok=True)
            write_durably(target, _archive(files))
            return
        (target / "records").mkdir(parents=True)
        for name, content in files.items():
            write_durably(target / name, content)
    except OSError as error:
        raise UsageError(f"--to {target}: cannot be written: {error.strerror or error}") from None


def with_texts(files: dict[str, bytes]) -> bool:
    """Returns whether a file of predictions has targets that are texts of the data, as for generation."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name, content in files.items():
        if name.endswith(SUFFIX):
            schema = pq.read_schema(pa.BufferReader(content))
            # Tags are lists of strings on both sides.
            if "value" in schema.names and pa.types.is_string(schema.field("value").type):
                return True
    return False


def _archive(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def _record(store: Store, cell: str) -> Record:
    record = store.newest(cell)
    if not isinstance(record, Record):
        reason = "it has no record" if record is None else record.message
        raise StoreError(f"{store.root}: {cell}: {reason}")
    return record


def _read(path: Path) -> bytes:
    try:
        return read_regular_file(path)
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or "it is too large"
        raise StoreError(f"{path}: cannot be read: {reason}: run the cell again, or leave it out") from None


def _check_sizes(files: dict[str, bytes]) -> None:
    for name, content in files.items():
        if len(content) > largest_size(name):
            raise UsageError(f"{name}: larger than the {largest_size(name) >> 20} MiB that are accepted: leave it out")
    if sum(map(len, files.values())) > LARGEST_TOTAL:
        raise UsageError(f"more than the {LARGEST_TOTAL >> 20} MiB that are accepted: submit fewer cells at once")
