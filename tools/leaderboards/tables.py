"""The list of committed leaderboards, `leaderboards/tables.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

import msgspec


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One committed leaderboard."""

    name: str
    """Name of the page `leaderboards/NAME.md` and of the folder of results `leaderboards/NAME`."""
    suite: str
    """Name of the suite, or path of its file from the root of the repository."""
    needs_data: bool = False
    """Whether the suite reads data files, whose folder `TLBENCH_DATA` names."""
    records: str = "committed"
    """Why the records are not committed; "committed" if they are."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    table: tuple[Table, ...]


def read_tables(file: Path, names: Sequence[str] = ()) -> tuple[Table, ...]:
    """Returns the tables of a file in its order, or those with the given names.

    Raises:
        ValueError: The file is invalid, two tables have one name, or a name is not in the file.
    """
    tables = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), _File).table
    known = [table.name for table in tables]
    if len(set(known)) < len(known):
        raise ValueError(f"{file}: two tables have one name")
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"{', '.join(unknown)}: not in {file}, which has {', '.join(known)}")
    return tuple(table for table in tables if not names or table.name in names)
