"""Lists image files in class folders, and checks that they can be decoded."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tlbench import DataError, Example, ImageFile
from tlbench_data.own.archives import MACOS_FOLDER

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """An image file with its class and its id within the data set."""

    path: Path
    label: str
    id: str


def class_folders(folder: Path) -> tuple[str, ...]:
    """Returns the names of the subfolders in alphabetical order, without hidden ones."""
    with os.scandir(folder) as entries:
        return tuple(sorted(entry.name for entry in entries if entry.is_dir() and not _is_hidden(entry.name)))


def list_images(folder: Path, prefix: str = "") -> list[LabelledFile]:
    """Returns the image files of every class folder, nested ones included, sorted by class and path.

    Hidden files and folders are skipped.

    Raises:
        DataError: There is no class folder, or one without images.
    """
    files = []
    classes = class_folders(folder)
    if not classes:
        raise DataError(f"{folder}: contains no folders; make one for each class, with its images in it")
    for label in classes:
        paths = sorted(path for path in (folder / label).rglob("*") if path.suffix.lower() in ImageFile.suffixes)
        paths = [path for path in paths if not any(map(_is_hidden, path.relative_to(folder).parts))]
        if not paths:
            raise DataError(f"{folder / label}: contains no image ({', '.join(sorted(ImageFile.suffixes))})")
        files += [LabelledFile(path, label, f"{prefix}{path.relative_to(folder).as_posix()}") for path in paths]
    return files


def examples_of(files: Sequence[LabelledFile], names: Sequence[str], *, skip_unreadable: bool = False) -> list[Example]:
    """Returns one example per file, after decoding every image once to check it.

    Args:
        files: The files to read.
        names: Class names, whose order numbers the labels.
        skip_unreadable: Skip files that cannot be decoded, and log how many, instead of raising.

    Raises:
        DataError: Files cannot be decoded (with their number and the first one), or a class is not in `names`.
    """
    numbers = {name: number for number, name in enumerate(names)}
    # A class that only the test folder has cannot be predicted.
    unknown = sorted({file.label for file in files} - set(names))
    if unknown:
        raise DataError(f"{files[0].path.parent.parent}: {unknown[0]!r} is none of the classes {', '.join(names)}")
    # Threads suffice: Pillow and hashlib release the GIL.
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        results = list(pool.map(_decoded, [file.path for file in files]))
    problems = [result for result in results if isinstance(result, DataError)]
    if problems and not skip_unreadable:
        raise DataError(
            f"{len(problems)} of {len(files)} images cannot be read ([skip_unreadable=true] leaves them out), "
            f"the first is {problems[0]}"
        )
    if problems:
        # As a repr: the log goes to a terminal unescaped, and file names may contain control sequences.
        _log.warning("left out %d of %d images that cannot be read: %r", len(problems), len(files), str(problems[0]))
    return [
        Example(file.id, (image,), numbers[file.label])
        for file, image in zip(files, results, strict=True)
        if isinstance(image, ImageFile)
    ]


def digest(files: Sequence[LabelledFile]) -> str:
    """Returns twelve hex digits of a digest of the files' ids and contents."""
    sha256 = hashlib.sha256()
    for file in files:
        sha256.update(f"{file.id}\0{content_of(file.path)}\n".encode())
    return sha256.hexdigest()[:12]


def content_of(path: Path) -> str:
    """Returns the SHA-256 of a file, cached while its size and modification time stay the same.

    Raises:
        DataError: The file cannot be read.
    """
    return _content(path, *_stamp(path))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == MACOS_FOLDER


def _decoded(path: Path) -> ImageFile | DataError:
    return _decoded_once(path, *_stamp(path))


def _stamp(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    return state.st_size, state.st_mtime_ns


# `size` and `changed` only serve as the cache key; so does `changed` below.
@lru_cache(maxsize=200_000)
def _decoded_once(path: Path, size: int, changed: int) -> ImageFile | DataError:
    try:
        return ImageFile.read(path, _content(path, size, changed)[:16])
    except DataError as error:
        # Returned, not raised, so that lru_cache remembers it too.
        return error


@lru_cache(maxsize=200_000)
def _content(path: Path, size: int, changed: int) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
