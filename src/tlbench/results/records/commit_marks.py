"""Marks of work folders whose record was committed, so that a record which is deleted later does not come back.

A cell's work folder keeps its finished record for other runs that wait for the cell, and the finished fits of a cell
without scores. Without a mark, they could not be told from those of a cell that was interrupted.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tlbench.contracts.untrusted.open_flags import NO_LINK, NOT_INHERITED

COMMITTED = "committed"
"""Name of the empty file in a work folder that says that the attempt's record was committed."""


def mark_committed(work: Path) -> None:
    """Marks a work folder; does nothing if the folder is gone or is a link."""
    if not work.is_symlink():
        with suppress(OSError):
            os.close(os.open(work / COMMITTED, os.O_WRONLY | os.O_CREAT | NO_LINK | NOT_INHERITED, 0o644))


def is_committed(work: Path) -> bool:
    """Returns whether the record of a work folder was committed."""
    # A folder that was tidied before there were marks has a record and lacks the cell.
    return (work / COMMITTED).exists() or ((work / "record.json").exists() and not (work / "cell.json").exists())


def is_deleted(work: Path, record: Path) -> bool:
    """Returns whether the attempt's record was committed and has been deleted since.

    Args:
        work: The attempt's work folder.
        record: The path of its record.
    """
    # In this order: a folder is marked after its record is stored, so a record that is missing now was deleted.
    return is_committed(work) and not record.exists()
