"""The list of a submission's files with their digests, and the limits of what a submission may hold.

A submission is a folder of results (`store.py`) with `submission.json` beside it. The digests find damage and files
that were changed by mistake. They cannot find a change by somebody who makes a new list: scores are trusted only
once they were computed again (`running/verification/`).
"""

from __future__ import annotations

import hashlib
import re

import msgspec

MANIFEST = "submission.json"
FORMAT = 1
_MIB = 2**20
LARGEST_TOTAL = 1024 * _MIB
"""Largest size of all files of a submission together, in bytes."""
MOST_FILES = 20_000
_LARGEST = {".json": 64 * _MIB, ".parquet": 256 * _MIB}
"""Largest size of one file, in bytes, by suffix."""
_RECORD_FILE = re.compile(r"records/[0-9a-f]{16}\.[1-9][0-9]{0,8}(\.json|\.parquet|\.validation\.parquet)")
_TOP = frozenset({MANIFEST, "tlbench.json", "plan.json"})


class ListedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a submission."""

    sha256: str
    bytes: int


class SubmissionManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of `submission.json`."""

    name: str
    """The name of the leaderboard."""
    files: dict[str, ListedFile]
    """Every other file of the submission, by its path within it."""
    format: int = FORMAT
    by: str = ""
    """Who submits it."""
    note: str = ""
    """What readers should know, such as the machine or the source of the data."""
    tlbench: str = ""
    """The version that packed it."""


def is_submitted_name(name: str) -> bool:
    """Returns whether a submission may have a file of this path."""
    return name in _TOP or _RECORD_FILE.fullmatch(name) is not None


def largest_size(name: str) -> int:
    """Returns the largest size in bytes of the file of this path."""
    return _LARGEST[".parquet" if name.endswith(".parquet") else ".json"]


def listed(content: bytes) -> ListedFile:
    """Returns the entry of a file with this content."""
    return ListedFile(hashlib.sha256(content).hexdigest(), len(content))
