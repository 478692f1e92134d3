"""Image files in folders named by their classes: what there is, and whether it can be read."""

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
class Labelled:
    """An image file, its class, and what names it within its data set."""

    path: Path
    label: str
    id: str


def class_folders(folder: Path) -> tuple[str, ...]:
    """Returns the names of the folders in a folder, in alphabetical order; hidden ones do not count."""
    with os.scandir(folder) as entries:
        return tuple(sorted(entry.name for entry in entries if entry.is_dir() and not _is_hidden(entry.name)))


def listed(folder: Path, prefix: str = "") -> list[Labelled]:
    """Returns the image files of every class folder, in order of class and name; what lies deeper belongs too.

    Hidden files and folders do not count.

    Raises:
        DataError: No class folder, or one that holds no image.
    """
    found = []
    classes = class_folders(folder)
    if not classes:
        raise DataError(f"{folder}: holds no folders; there should be one for each class, with its images in it")
    for label in classes:
        paths = sorted(path for path in (folder / label).rglob("*") if path.suffix.lower() in ImageFile.suffixes)
        paths = [path for path in paths if not any(map(_is_hidden, path.relative_to(folder).parts))]
        if not paths:
            raise DataError(f"{folder / label}: holds no image ({', '.join(sorted(ImageFile.suffixes))})")
        found += [Labelled(path, label, f"{prefix}{path.relative_to(folder).as_posix()}") for path in paths]
    return found


def examples_of(files: Sequence[Labelled], names: Sequence[str], *, skip_unreadable: bool = False) -> list[Example]:
    """Returns an example for each file, once every one of them has been read.

    Args:
        files: What to read.
        names: The classes, by whose order labels are numbered.
        skip_unreadable: Leave out, and count in a warning, what cannot be read.

    Raises:
        DataError: Files that cannot be read, counted, the first one by name; or a class without a place in `names`.
    """
    numbers = {name: number for number, name in enumerate(names)}
    unknown = sorted({file.label for file in files} - set(names))
    if unknown:
        raise DataError(f"{files[0].path.parent.parent}: {unknown[0]!r} is none of the classes {', '.join(names)}")
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        checked = list(pool.map(_checked, [file.path for file in files]))
    problems = [result for result in checked if isinstance(result, DataError)]
    if problems and not skip_unreadable:
        raise DataError(
            f"{len(problems)} of {len(files)} images cannot be read ([skip_unreadable=true] leaves them out), "
            f"the first is {problems[0]}"
        )
    if problems:
        # As Python would write it: a log goes to a terminal as it is, and names may hold what one obeys.
        _log.warning("left out %d of %d images that cannot be read: %r", len(problems), len(files), str(problems[0]))
    return [
        Example(file.id, (image,), numbers[file.label])
        for file, image in zip(files, checked, strict=True)
        if isinstance(image, ImageFile)
    ]


def digest(files: Sequence[Labelled]) -> str:
    """Returns twelve hex digits over the names and contents of the files."""
    whole = hashlib.sha256()
    for file in files:
        whole.update(f"{file.id}\0{content_of(file.path)}\n".encode())
    return whole.hexdigest()[:12]


def content_of(path: Path) -> str:
    """Returns the sha256 of a file, computed once for each state of it.

    Raises:
        DataError: It cannot be read.
    """
    return _content(path, *_stamp(path))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == MACOS_FOLDER


def _checked(path: Path) -> ImageFile | DataError:
    return _readable(path, *_stamp(path))


def _stamp(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    return state.st_size, state.st_mtime_ns


@lru_cache(maxsize=200_000)
def _readable(path: Path, size: int, changed: int) -> ImageFile | DataError:
    image = ImageFile(path, _content(path, size, changed)[:16])
    try:
        image.open()
    except DataError as error:
        return error
    return image


@lru_cache(maxsize=200_000)
def _content(path: Path, size: int, changed: int) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
