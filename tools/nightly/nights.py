"""The nights in a folder: one folder of results for each commit, and what was found of it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

Verdict = Literal["unfinished", "first", "passed", "regression", "accepted"]
"""What a night's comparison found.

- unfinished: the run was interrupted;
- first: there was no night to compare it with;
- passed, regression: the outcome of the comparison;
- accepted: a regression that is intended, so that later nights are compared with it.
"""
GOOD: frozenset[Verdict] = frozenset({"first", "passed", "accepted"})
_FILE = "night.json"
_FOLDER = re.compile(r"(\d{4,})-([0-9a-f]{7,40})")


class Finding(msgspec.Struct, frozen=True):
    """What is stored of a night beside its results."""

    verdict: Verdict = "unfinished"
    against: str = ""
    """Name of the folder of the night that it was compared with; empty for none."""
    regressions: int = 0
    failed: int = 0
    """Number of cells without a score."""


@dataclass(frozen=True)
class Night:
    """The results of one commit."""

    folder: Path
    number: int
    commit: str
    finding: Finding

    @property
    def name(self) -> str:
        """Name of the folder: the number of the night and the commit."""
        return self.folder.name

    @property
    def is_good(self) -> bool:
        """Whether later nights may be compared with this one."""
        return self.finding.verdict in GOOD

    def found(self, finding: Finding) -> Night:
        """Stores what was found of the night, and returns the night with it."""
        (self.folder / _FILE).write_bytes(msgspec.json.encode(finding))
        return Night(self.folder, self.number, self.commit, finding)


def read_nights(root: Path) -> list[Night]:
    """Returns the nights in a folder, oldest first."""
    nights = []
    for folder in root.iterdir() if root.is_dir() else ():
        if (named := _FOLDER.fullmatch(folder.name)) and folder.is_dir():
            nights.append(Night(folder, int(named[1]), named[2], _finding(folder / _FILE)))
    return sorted(nights, key=lambda night: (night.number, night.commit))


def _finding(path: Path) -> Finding:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Finding)
    except (OSError, msgspec.DecodeError):
        return Finding()


def open_night(root: Path, commit: str) -> Night:
    """Returns the night of a commit: the newest one if it is of this commit, so that its run goes on, or a new one."""
    nights = read_nights(root)
    if nights and nights[-1].commit == commit:
        return nights[-1]
    number = nights[-1].number + 1 if nights else 1
    folder = root / f"{number:04}-{commit}"
    folder.mkdir(parents=True)
    return Night(folder, number, commit, Finding())


def last_good(nights: Sequence[Night], before: Night) -> Night | None:
    """Returns the last night before another one that later nights may be compared with, or None.

    A night with a regression is left out: otherwise the night after it would pass with the same loss.
    """
    good = [night for night in nights if night.is_good and night.number < before.number]
    return good[-1] if good else None


def prune(nights: Sequence[Night], keep: int) -> None:
    """Removes the oldest nights until `keep` are left, but never the last good one."""
    good = [night for night in nights if night.is_good]
    for night in nights[: max(0, len(nights) - keep)]:
        if night not in good[-1:]:
            shutil.rmtree(night.folder)
