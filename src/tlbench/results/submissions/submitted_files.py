"""Opens a submission, a folder or a ZIP archive from somebody else: no link is followed, and sizes are limited."""

from __future__ import annotations

import lzma
import os
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tlbench.contracts.errors import UsageError
from tlbench.contracts.untrusted.regular_files import read_regular_file
from tlbench.results.submissions.manifest import (
    FORMAT,
    LARGEST_TOTAL,
    MANIFEST,
    MOST_FILES,
    SubmissionManifest,
    is_submitted_name,
    largest_size,
    listed,
)

_OPEN_FOLDERS = frozenset({"", "records"})
_MOST_NAMED = 5


class UnreadableFile(Exception):
    """A file of a submission that cannot be read; the message is one line with the reason."""


@dataclass
class SubmittedFiles:
    """The files of a submission. What is wrong with them is in `faults`, by file."""

    root: Path
    names: list[str] = field(default_factory=list)
    """Paths, within the submission, of the files that may be read."""
    faults: dict[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    """Names in a folder without `submission.json` that are no part of the results, such as `work`."""
    manifest: SubmissionManifest | None = None

    def read(self, name: str) -> bytes:
        """Returns the content of a file.

        Raises:
            UnreadableFile: It is missing, too large, no regular file, or not what `submission.json` lists.
        """
        if name in self.faults or name not in self.names:
            raise UnreadableFile(self.faults.get(name, "the file is missing"))
        try:
            content = read_regular_file(self.root / name, largest_size(name))
        except (OSError, MemoryError) as error:
            raise UnreadableFile(getattr(error, "strerror", None) or "it is too large") from None
        if self.manifest is not None and name != MANIFEST:
            entry = self.manifest.files.get(name)
            if entry is None:
                raise UnreadableFile(f"{MANIFEST} does not list it")
            if entry != listed(content):
                raise UnreadableFile(f"its SHA-256 is not the one in {MANIFEST}: it was changed or damaged")
        return content


@contextmanager
def submitted_files(path: Path) -> Iterator[SubmittedFiles]:
    """Opens a folder of results, a submission's folder or its archive; nothing is written into it.

    Raises:
        UsageError: There is no such folder or archive, or it has no results.
    """
    if path.is_dir():
        yield _with_manifest(_in_folder(path))
        return
    if not path.is_file():
        raise UsageError(f"{path}: neither a folder of results nor an archive of `tlbench submit`")
    with tempfile.TemporaryDirectory(prefix="tlbench-submission-") as folder:
        yield _with_manifest(_extracted(path, Path(folder)))


def _in_folder(root: Path) -> SubmittedFiles:
    files = SubmittedFiles(root)
    is_submission = os.path.lexists(root / MANIFEST)
    ignored, total = [], 0
    for name, status in _entries(root):
        if not is_submitted_name(name):
            if is_submission or name.startswith("records/"):
                files.faults[name] = "a submission has no such file: remove it"
            else:
                ignored.append(name)
            continue
        files.names.append(name)
        total += status.st_size
        if stat.S_ISLNK(status.st_mode):
            files.faults[name] = "it is a link, and links are not followed"
        elif not stat.S_ISREG(status.st_mode):
            files.faults[name] = "it is not a regular file"
        elif status.st_size > largest_size(name):
            files.faults[name] = f"it has more than {largest_size(name) >> 20} MiB"
    files.ignored = tuple(ignored)
    _check_totals(root, len(files.names), total)
    return files


def _entries(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yields the path and status of each entry of the folder and of its `records`, without following links."""
    for folder in sorted(_OPEN_FOLDERS):
        path = root / folder
        if folder and (path.is_symlink() or not path.is_dir()):
            continue
        with os.scandir(path) as found:
            for entry in sorted(found, key=lambda one: one.name):
                name = f"{folder}/{entry.name}" if folder else entry.name
                status = entry.stat(follow_symlinks=False)
                if name not in _OPEN_FOLDERS or not stat.S_ISDIR(status.st_mode):
                    yield name, status


def _extracted(archive: Path, folder: Path) -> SubmittedFiles:
    files, seen = SubmittedFiles(folder), set[str]()
    (folder / "records").mkdir()
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = packed.infolist()
            _check_totals(archive, len(entries), sum(entry.file_size for entry in entries))
            for entry in entries:
                if entry.is_dir() and entry.filename.rstrip("/") in _OPEN_FOLDERS:
                    continue
                name, reason = entry.filename, _refusal(entry, seen)
                seen.add(name)
                if reason:
                    files.faults[name] = reason
                    continue
                files.names.append(name)
                # `read` stops after `file_size` bytes, which were checked, whatever the compressed data hold.
                (folder / name).write_bytes(packed.read(entry))
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        MemoryError,
        RuntimeError,
        NotImplementedError,
        EOFError,
        ValueError,
        OSError,
    ) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{archive}: not a whole ZIP archive of `tlbench submit`: {reason}") from None
    return files


def _refusal(entry: zipfile.ZipInfo, seen: set[str]) -> str:
    """Returns why an entry of an archive is not extracted; empty if it is."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "it is a link, and links are not followed"
    if kind not in {0, stat.S_IFREG}:
        return "it is not a regular file"
    if not is_submitted_name(entry.filename):
        return "a submission has no such file: remove it"
    if entry.filename in seen:
        return "the archive has it twice"
    if entry.file_size > largest_size(entry.filename):
        return f"it has more than {largest_size(entry.filename) >> 20} MiB"
    return ""


def _check_totals(path: Path, count: int, total: int) -> None:
    if count > MOST_FILES:
        raise UsageError(f"{path}: more than {MOST_FILES:,} files: submit fewer cells at once")
    if total > LARGEST_TOTAL:
        raise UsageError(f"{path}: more than {LARGEST_TOTAL >> 20} MiB: submit fewer cells at once")


def _with_manifest(files: SubmittedFiles) -> SubmittedFiles:
    if MANIFEST in files.names:
        try:
            manifest = msgspec.json.decode(files.read(MANIFEST), type=SubmissionManifest)
        except UnreadableFile as error:
            files.faults[MANIFEST] = str(error)
        except (ValueError, RecursionError) as error:
            files.faults[MANIFEST] = f"it cannot be read: {' '.join(str(error).split())}"
        else:
            if manifest.format != FORMAT:
                raise UsageError(
                    f"{files.root}: a submission of format {manifest.format}, and this tlbench reads {FORMAT}: upgrade"
                )
            files.manifest = manifest
            missing = sorted(set(manifest.files) - set(files.names))
            for name in missing[:_MOST_NAMED]:
                files.faults[name] = f"{MANIFEST} lists it, and it is missing"
    if not any(name.startswith("records/") for name in files.names):
        raise UsageError(f"{files.root}: no records here: `tlbench submit` packs those of a folder of results")
    return files
