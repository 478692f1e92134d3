"""How far results were checked; kept in a file of the person who checked them, never in the results themselves.

An entry is bound to the bytes of a record and of its predictions: after any change they count as self-reported again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from tlbench.contracts.errors import UsageError
from tlbench.contracts.record import Record
from tlbench.contracts.untrusted.regular_files import read_regular_file
from tlbench.results.records.store import Store
from tlbench.system.durable import write_durably

Tier = Literal["self-reported", "recomputed", "re-run"]
TIERS: dict[Tier, str] = {
    "self-reported": "nobody but its author has checked it",
    "recomputed": "every score was computed again from the stored predictions and the task's own targets",
    "re-run": "the winner was fitted again elsewhere, and its predictions agree",
}
"""What each tier means, the weakest first."""
_FORMAT = 1
_LARGEST = 64 * 2**20


class CheckedCell(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was found for one cell."""

    tier: Tier
    cell: str
    """The cell's id."""
    on: str = ""
    """The date, YYYY-MM-DD."""
    tlbench: str = ""
    """The version that checked it."""


class TierFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of a file of tiers: entries by the digest of a record and its predictions."""

    cells: dict[str, CheckedCell] = {}
    format: int = _FORMAT


def lower(first: Tier, second: Tier) -> Tier:
    """Returns the weaker of two tiers."""
    return min(first, second, key=list(TIERS).index)


def digest_of(contents: Iterable[bytes]) -> str:
    """Returns the digest of a record's file and of those of its predictions, in this order."""
    digest = hashlib.sha256()
    for content in contents:
        # With the length, so that bytes cannot move from one file to the next.
        digest.update(len(content).to_bytes(8, "big") + hashlib.sha256(content).digest())
    return digest.hexdigest()


def read_tiers(path: Path) -> TierFile:
    """Returns the content of a file of tiers; empty if there is no such file.

    Raises:
        UsageError: It cannot be read.
    """
    if not path.exists():
        return TierFile()
    try:
        found = msgspec.json.decode(read_regular_file(path, _LARGEST), type=TierFile)
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise UsageError(f"{path}: not a file of `tlbench verify --to`: {reason}") from None
    if found.format != _FORMAT:
        raise UsageError(f"{path}: of format {found.format}, and this tlbench reads {_FORMAT}: upgrade tlbench")
    return found


def add_tiers(path: Path, found: dict[str, CheckedCell]) -> None:
    """Adds entries, by digest, to a file of tiers; an entry of the same bytes keeps the higher tier.

    Raises:
        UsageError: The file holds something else, or cannot be written.
    """
    known = dict(read_tiers(path).cells)
    for digest, cell in found.items():
        if digest not in known or lower(known[digest].tier, cell.tier) != cell.tier:
            known[digest] = cell
    ordered = dict(sorted(known.items(), key=lambda item: (item[1].cell, item[0])))
    try:
        content = msgspec.json.format(msgspec.json.encode(TierFile(ordered)), indent=1) + b"\n"
        write_durably(path, content)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from None


def tiers_of(store: Store, checked: TierFile) -> dict[str, Tier]:
    """Returns the tier of each record of a folder that has scores, by cell id."""
    found: dict[str, Tier] = {}
    for record in store.records():
        if record.status == "ok":
            entry = checked.cells.get(_stored_digest(store, record))
            found[record.cell.id] = "self-reported" if entry is None else entry.tier
    return found


def _stored_digest(store: Store, record: Record) -> str:
    path = store.record_path(record.cell.id, record.attempt)
    names = [path.name, *(name for name in (record.predictions, record.validation_predictions) if name)]
    try:
        return digest_of(read_regular_file(path.with_name(Path(name).name)) for name in names)
    except (OSError, MemoryError):
        return ""
