"""Finds the files and folders of one's own that a published name means, and remembers where they were.

What a command learns of places is kept in the cache's folder, for this user alone, so that `predict`, `verify` or a
resumed run finds the data by the name in a record. A place is only a hint: the plugin compares the content with the
digest, so a wrong one is refused, and the next is tried.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import islice, product
from pathlib import Path
from typing import TypeVar

from tlbench.catalog.data_roots import data_roots
from tlbench.catalog.names import published
from tlbench.contracts.errors import UsageError
from tlbench.contracts.identity.content_names import label_and_digest
from tlbench.contracts.identity.known_places import known_places, note_places
from tlbench.contracts.untrusted.regular_files import read_regular_file
from tlbench.modeling.disk import cache_settings
from tlbench.system.durable import write_durably

T = TypeVar("T")
FOLDER = "places"
_MOST_KEPT = 2000
"""Number of places that are kept; the oldest are forgotten."""
_MOST_TRIED = 32
"""Number of combinations of places that are tried for one name."""
_LONGEST = 4096
# parallel:train.en+train.de has two files.
_NEXT_FILE = re.compile(r"\+")


def without_folders(name: str) -> str:
    """Returns a canonical name as ids and records hold it, and remembers where its files are.

    This process, its workers and later commands of this user find them again by the name that is returned.
    """
    shown, places = published(name)
    if places:
        _remember(places)
    return shown


def _remember(places: Mapping[str, str]) -> None:
    note_places(places)
    folder = cache_settings.folder() / FOLDER
    for key, place in places.items():
        file = folder / f"{_hashed(key)}-{_hashed(place)}"
        # A cache that cannot be written costs later commands a hint, and this one nothing.
        with suppress(OSError, UnicodeError):
            if file.exists():
                # The newest place is tried first.
                os.utime(file)
                continue
            folder.mkdir(parents=True, exist_ok=True)
            write_durably(file, place.encode())
            _forget_oldest(folder)


def first_that_fits(base: str, params: Mapping[str, str], read: Callable[[str, Mapping[str, str]], T]) -> T:
    """Returns what `read` makes of a name, with a path in place of each label: of the first places where it fits.

    A name without labels is read as it is.

    Args:
        base: The name without its parameters.
        params: The parameters, as text.
        read: Makes an object of a base and parameters; it compares digests with the content.

    Raises:
        UsageError: No place is known where the content is that of the name; or what `read` raises.
    """
    refused: UsageError | None = None
    for read_base, read_params in _readings(base, params):
        try:
            return read(read_base, read_params)
        except UsageError as error:
            refused = refused or error
    if (named := label_and_digest(base)) is None and refused is not None:
        raise refused
    scheme, label, digest = named or ("", base, "")
    place = next(iter(_remembered(f"{label}@{digest}")), "")
    was = f"it was {place}" if place else "no place of it is known here"
    why = f" ({refused})" if refused else ""
    raise UsageError(
        f"{base}: {was}, and it is not found with this content{why}: name it once by its path, as {scheme}PATH/{label}"
    ) from refused


def _readings(base: str, params: Mapping[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yields the ways to read a name with a path in place of each label; only itself if it has no labels."""
    choices = [_choices(base), *(_choices(text) or [text] for text in params.values())]
    for first, *others in islice(product(*choices), _MOST_TRIED):
        yield first, dict(zip(params, others, strict=True))


def _choices(text: str) -> list[str]:
    named = label_and_digest(text)
    if named is None:
        return [text]
    scheme, label, digest = named
    places = [*_remembered(f"{label}@{digest}"), label, *(str(folder / label) for folder in data_roots())]
    found = [f"{scheme}{place}@{digest}" for place in dict.fromkeys(places) if _exists(scheme, place)]
    # The plugin looks for the file of a parameter beside that of the base.
    return found if scheme else [*found, f"{label}@{digest}"]


def _exists(scheme: str, place: str) -> bool:
    # run: names a cell, which its plugin looks for in a folder of results.
    return scheme == "run:" or os.path.exists(place) or all(map(os.path.exists, _NEXT_FILE.split(place)))


def _remembered(key: str) -> list[str]:
    """Returns the places of a label and digest, the newest first."""
    found = [place for place in (known_places().get(key),) if place]
    with suppress(OSError):
        files = list((cache_settings.folder() / FOLDER).glob(f"{_hashed(key)}-*"))
        for file in sorted(files, key=lambda file: -file.stat().st_mtime):
            with suppress(OSError, UnicodeError):
                place = read_regular_file(file, _LONGEST).decode()
                if os.path.isabs(place) and file.name.endswith(_hashed(place)):
                    found.append(place)
    return list(dict.fromkeys(found))


def _forget_oldest(folder: Path) -> None:
    files = list(folder.iterdir())
    if len(files) > _MOST_KEPT:
        for file in sorted(files, key=lambda file: file.stat().st_mtime)[: len(files) - _MOST_KEPT]:
            file.unlink(missing_ok=True)


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
