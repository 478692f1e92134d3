"""Decodes every image file once, to find those that cannot be read and how the others are opened."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path

from tlbench import DataError, Example, ImageFile
from tlbench.contracts.untrusted.regular_files import open_regular, reason_of
from tlbench_data.images.image_folders import LabelledFile
from tlbench_data.images.remembered_checks import MIN_IMAGES, Checked, recall, remember

_log = logging.getLogger(__name__)
_NAMED = 10
"""Maximum number of unreadable files that an error message names."""


def examples_of(
    files: Sequence[LabelledFile], names: Sequence[str], *, skip_unreadable: bool = False, pin: str = ""
) -> list[Example]:
    """Returns one example per readable file, after decoding every image once to check it.

    Args:
        files: The files to read.
        names: Class names, whose order numbers the labels.
        skip_unreadable: Skip files that cannot be decoded, and log how many, instead of raising.
        pin: Digest of the data set, the key for caching on disk which images can be decoded (only for large sets).

    Raises:
        DataError: Files cannot be decoded (with their number and the first ten), or a class is not in `names`.
    """
    numbers = {name: number for number, name in enumerate(names)}
    # A class that occurs only in the test folder cannot be learnt.
    unknown = sorted({file.label for file in files} - set(names))
    if unknown:
        raise DataError(f"{files[0].path.parent.parent}: {unknown[0]!r} is none of the classes {', '.join(names)}")
    images = decoded(files, skip_unreadable=skip_unreadable, pin=pin)
    if problem := next((image for image in images if isinstance(image, DataError)), None):
        count = sum(isinstance(image, DataError) for image in images)
        # As a repr: the log goes to a terminal unescaped, and file names may contain control sequences.
        _log.warning("left out %d of %d images that cannot be read: %r", count, len(files), str(problem))
    return [
        Example(file.id, (image,), numbers[file.label], group=file.group)
        for file, image in zip(files, images, strict=True)
        if isinstance(image, ImageFile)
    ]


def decoded(
    files: Sequence[LabelledFile], *, skip_unreadable: bool = False, pin: str = ""
) -> list[ImageFile | DataError]:
    """Returns an `ImageFile` per file, or the error that decoding it raised; arguments as those of `examples_of`.

    Raises:
        DataError: Files cannot be decoded and `skip_unreadable` is false; the message counts them and names up to ten.
    """
    is_remembered = bool(pin) and len(files) >= MIN_IMAGES
    known = recall(pin) if is_remembered else {}
    # Threads suffice: Pillow and hashlib release the GIL.
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        results = list(pool.map(partial(_decoded, known=known), [file.path for file in files]))
    if is_remembered:
        found = {image.digest: image.adjusted for image in results if isinstance(image, ImageFile)}
        if not found.keys() <= known.keys():
            remember(pin, {**known, **found})
    problems = [(file, error) for file, error in zip(files, results, strict=True) if isinstance(error, DataError)]
    if problems and not skip_unreadable:
        others = ", ".join(file.id for file, _ in problems[1:_NAMED])
        more = f" and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise DataError(
            f"{len(problems)} of {len(files)} images cannot be read ([skip_unreadable=true] leaves them out), "
            f"the first is {problems[0][1]}{f'; then {others}{more}' if others else ''}"
        )
    return results


def digest(files: Sequence[LabelledFile]) -> str:
    """Returns twelve hex digits of a digest of the files' ids and contents."""
    sha256 = hashlib.sha256()
    for file in files:
        sha256.update(f"{file.id}\0{content_key(file)}\n".encode())
    return sha256.hexdigest()[:12]


def content_key(file: LabelledFile) -> str:
    """Returns the SHA-256 of a file's content, or a text unique to the file if it cannot be read."""
    try:
        return content_of(file.path)
    except DataError:
        # Not raised: `skip_unreadable` may leave the file out.
        return f"unreadable {file.id}"


def content_of(path: Path) -> str:
    """Returns the SHA-256 of a file, cached while its size and modification time stay the same.

    Raises:
        DataError: The file cannot be read.
    """
    return _content(path, *_stamp(path))


def _decoded(path: Path, known: Checked) -> ImageFile | DataError:
    try:
        digest = content_of(path)[:16]
        if digest in known:
            return ImageFile(path, digest, known[digest])
        return _decoded_once(path, *_stamp(path))
    except DataError as error:
        return error


def _stamp(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {reason_of(error)}") from error
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
        with open_regular(path, links="followed") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {reason_of(error)}") from error
