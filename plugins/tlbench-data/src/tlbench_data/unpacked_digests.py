"""Digests of the files that an archive was unpacked to, by which a changed copy in a shared cache is found."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

from tlbench.contracts.untrusted.regular_files import open_regular
from tlbench.contracts.untrusted.settings_files import read_json

CONTENT = "content"
"""Folder of the unpacked files, beside the list of their digests."""
_LIST = "digests.json"


def note_digests(folder: Path) -> None:
    """Writes the digests of all files in the content of a folder that was just unpacked."""
    (folder / _LIST).write_text(json.dumps(_digests(folder / CONTENT)), encoding="utf-8")


def is_as_unpacked(folder: Path) -> bool:
    """Returns whether a folder is this user's own and its content as it was when it was unpacked."""
    try:
        for path in (folder, folder / CONTENT, folder / _LIST):
            status = path.lstat()
            # Another user of a shared cache could have written both the files and their digests.
            if stat.S_ISLNK(status.st_mode) or status.st_uid not in own_users():
                return False
        noted: Any = read_json(folder / _LIST)
        return bool(noted == _digests(folder / CONTENT))
    except (OSError, ValueError):
        return False


def own_users() -> tuple[int, ...]:
    """Returns the ids of the users whose files are believed: this one's, and root's."""
    return os.geteuid(), 0


def _digests(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of each file below a folder by its relative path.

    Raises:
        OSError: There is a link, a special file, or a file that cannot be read.
    """
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        if not stat.S_ISDIR(path.lstat().st_mode):
            with open_regular(path) as file:
                found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
