"""Which files a name stands for, and what pins them: a digest of their content is part of the task's name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from tlbench import UsageError
from tlbench_data.own.archives import is_archive, unpacked

SUFFIXES: dict[str, tuple[str, ...]] = {
    "csv": (".csv", ".csv.gz"),
    "tsv": (".tsv", ".tsv.gz"),
    "jsonl": (".jsonl", ".jsonl.gz", ".json"),
    "parquet": (".parquet",),
    "conll": (".conll", ".bio", ".iob", ".txt"),
    "squad": (".json",),
}
"""Scheme to what its files end with, where a folder is named."""
STEMS = {
    "train": ("train",),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test",),
}
_PIN = re.compile(r"@[0-9a-f]{12}$")
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")


def pin(scheme: str, text: str) -> str:
    """Returns "<absolute path>@<digest>" for a file or folder, which may be pinned already.

    The digest of a folder is over its files that are called as splits are; there is none where no file is.

    Raises:
        UsageError: Not there, or of other content than the digest says.
    """
    path, said = _taken_apart(text)
    if path is None:
        raise UsageError(f"{scheme}:{text}: no such file or folder")
    files = [file for files in standard(scheme, path).values() for file in files] if path.is_dir() else [path]
    found = digest(files)
    if said and (found != said or not files):
        raise UsageError(f"{scheme}:{text}: it holds {found} now; name it without @{said} to use that")
    return f"{path}@{found}" if files else str(path)


def pinned_path(text: str) -> Path:
    """Returns the path of what `pin` returned; an archive is unpacked into the cache first.

    Raises:
        UsageError: An archive that cannot be unpacked safely.
    """
    path = Path(_PIN.sub("", text))
    return unpacked(path) if is_archive(path) else path


def beside(folder: Path, text: str) -> str:
    """Returns a path that was given as a parameter: absolute, or beside the data, or from the working directory."""
    path, _ = _taken_apart(str(folder / Path(text).expanduser()))
    return str(folder / Path(text).expanduser()) if path else text


def absolute(path: Path) -> Path:
    """Returns the path from the root, with links followed; a file that is a link keeps its own name.

    A link's name says what the file is: caches link to names that are digests alone.
    """
    return path.resolve() if path.is_dir() else path.parent.resolve() / path.name


def standard(scheme: str, folder: Path) -> dict[str, list[Path]]:
    """Returns the files of a folder that are called as splits are; several where a split is in numbered parts."""
    found: dict[str, list[Path]] = {}
    for split, stems in STEMS.items():
        for stem in stems:
            files = sorted(file for file in folder.iterdir() if _is_called(file, stem, SUFFIXES[scheme]))
            if files:
                found[split] = files
                break
    return found


def digest(files: Sequence[Path]) -> str:
    """Returns twelve hex digits over the contents of the files.

    Raises:
        UsageError: One cannot be read.
    """
    try:
        stats = [(file, file.stat()) for file in files]
        return _digest(tuple((str(file), stat.st_size, stat.st_mtime_ns) for file, stat in stats))
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from None


def _taken_apart(text: str) -> tuple[Path | None, str]:
    whole = Path(text).expanduser()
    if text and whole.exists():
        return absolute(whole), ""
    path, at, said = text.rpartition("@")
    if at and path and Path(path).expanduser().exists():
        return absolute(Path(path).expanduser()), said
    return None, ""


def _is_called(file: Path, stem: str, suffixes: tuple[str, ...]) -> bool:
    for suffix in suffixes:
        if file.name.endswith(suffix) and _SHARD.sub("", file.name.removesuffix(suffix)) == stem:
            return file.is_file()
    return False


@lru_cache(maxsize=64)
def _digest(files: tuple[tuple[str, int, int], ...]) -> str:
    whole = hashlib.sha256()
    for name, _, _ in files:
        with Path(name).open("rb") as file:
            whole.update(f"{Path(name).name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()[:12]
