"""Arrays on disk, found by all that they depend on: shared by workers and by runs, bounded, and never trusted unread.

Whoever asks for an entry that another process is making waits for it. An entry appears whole or not at all, by a
rename; no `fsync`, since what a power cut leaves is found out by its digest. Nothing here raises because of the disk:
where it cannot be written the caller goes on without, and the log says so once.
"""

from __future__ import annotations

import hashlib
import logging
import mmap
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlbench.modeling.disk import cache_folder as disk_folder
from tlbench.modeling.disk import cache_settings
from tlbench.modeling.disk.file_format import Damaged, Header, Key, canonical, check_digest, read_header, view
from tlbench.modeling.disk.writing import Draft, claimed

if TYPE_CHECKING:
    import numpy as np

RESERVE_BYTES = 1 << 29
"""The disk is left so much free space: the records of the run may be on it too."""
_TAG = "CACHEDIR.TAG"
_TAG_TEXT = "Signature: 8a477f597d28d172789f06886806bc55\n# Made by tlbench; `tlbench cache` looks after it.\n"

log = logging.getLogger("tlbench.cache")


@dataclass(frozen=True)
class StoredArrays:
    """An entry that was found whole: its arrays are views into the file, read when they are looked at.

    Writing into them changes this process's view alone.
    """

    header: Header
    _mapped: mmap.mmap

    @property
    def about(self) -> dict[str, Any]:
        """What was said of the entry when it was made."""
        return self.header.about

    def array(self, name: str) -> np.ndarray:
        """Returns an array; bfloat16, which numpy lacks, as int16.

        Raises:
            KeyError: The entry has none of this name.
        """
        return view(self._mapped, self.header, name)

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns all arrays."""
        return {name: self.array(name) for name in self.header.arrays}


class DiskCache:
    """A folder of entries, which together take no more than `limit_bytes`: the longest unused go first."""

    def __init__(self, folder: Path, limit_bytes: int, reserve_bytes: int = RESERVE_BYTES) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes
        self.reserve_bytes = reserve_bytes
        self._checked: set[tuple[object, ...]] = set()
        self._writable = True

    def find(self, kind: str, key: Key) -> StoredArrays | None:
        """Returns the entry of this key, or None; one that is damaged is removed."""
        path = self._path(kind, key)
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            return self._opened(handle, key)
        except Damaged as error:
            log.warning("%s is dropped: %s", path, error)
            with suppress(OSError):
                if disk_folder.is_at(handle, path):
                    path.unlink()
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read: %s", path, error)
        finally:
            os.close(handle)
        return None

    def drop(self, kind: str, key: Key) -> None:
        """Removes an entry, as one whose content turned out to be another."""
        with suppress(OSError):
            self._path(kind, key).unlink()

    @contextmanager
    def draft(self, kind: str, key: Key) -> Iterator[Draft]:
        """Yields a new entry to be written; while another process writes the same one, waits for it.

        So look once more with `find` before making anything. What is not committed in the block is removed.
        """
        path = self._path(kind, key)
        draft = Draft(
            path,
            dict(key),
            self._claimed(path),
            self.limit_bytes,
            self.reserve_bytes,
            stopped=self._give_up,
            committed=lambda header, handle: self._committed(path, header, handle),
        )
        try:
            yield draft
        finally:
            draft.close()

    def arrays(self, kind: str, key: Key, make: Callable[[], Mapping[str, np.ndarray]]) -> Mapping[str, np.ndarray]:
        """Returns the arrays of this key; `make` makes them, once for all processes, where there are none."""
        if (found := self.find(kind, key)) is not None:
            return found.arrays()
        with self.draft(kind, key) as draft:
            if (found := self.find(kind, key)) is not None:
                return found.arrays()
            with draft.beating():
                made = make()
            for name, array in made.items():
                draft.add(name, array)
            kept = draft.commit({})
        found = self.find(kind, key) if kept else None
        return made if found is None else found.arrays()

    def _give_up(self, reason: object) -> None:
        """Writes no more in this process, and says why, once."""
        if self._writable:
            log.warning("the cache in %s cannot be written (%s): going on in memory", self.folder, reason)
        self._writable = False

    def _committed(self, path: Path, header: Header, handle: int) -> None:
        """Takes note of an entry that was just written, and makes room where the limit is passed."""
        self._checked.add(_identity(handle, header))
        with suppress(OSError):
            disk_folder.sweep(self.folder)
            disk_folder.prune(self.folder, self.limit_bytes, spare=path)

    def _path(self, kind: str, key: Key) -> Path:
        digest = hashlib.sha256(canonical(dict(key)).encode()).hexdigest()[:32]
        return disk_folder.entry_path(self.folder, kind, digest)

    def _opened(self, handle: int, key: Key) -> StoredArrays:
        header = read_header(handle)
        if header.key != dict(key):
            raise Damaged("it is the entry of another key")
        identity = _identity(handle, header)
        if identity not in self._checked:
            check_digest(handle, header)
            self._checked.add(identity)
        with suppress(OSError):
            # a folder of somebody else's may be readable alone
            os.utime(handle)
        return StoredArrays(header, mmap.mmap(handle, 0, access=mmap.ACCESS_COPY))

    def _claimed(self, path: Path) -> int | None:
        """Returns a handle on the entry's draft, locked, or None where it cannot be written."""
        if not self._writable:
            return None
        try:
            self._make_folder()
            return claimed(path)
        except OSError as error:
            self._give_up(error.strerror or error)
            return None

    def _make_folder(self) -> None:
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self.folder / _TAG).write_text(_TAG_TEXT)


def shared() -> DiskCache | None:
    """Returns this process's cache in the folder that the environment names, or None where it is switched off.

    Raises:
        UsageError: The environment holds no size where one belongs.
    """
    where = cache_settings.folder(), cache_settings.limit_bytes()
    if not where[1]:
        return None
    if where not in _shared:
        _shared[where] = DiskCache(*where)
    return _shared[where]


def kept_arrays(kind: str, key: Key, make: Callable[[], Mapping[str, np.ndarray]]) -> Mapping[str, np.ndarray]:
    """Returns arrays that were made before on this machine under the same key, or what `make` makes now.

    For what a plugin would else make anew in each process, such as tokens. Treat the arrays as read-only.

    Args:
        kind: What they are, as a short word in lower case: `tlbench cache info` shows it.
        key: All that they depend on: fingerprints, settings, versions of libraries.
        make: Makes them; called in one process at a time.

    Raises:
        ValueError: The kind is no such word.
    """
    cache = shared()
    return make() if cache is None else cache.arrays(kind, key, make)


_shared: dict[tuple[Path, int], DiskCache] = {}


def _identity(handle: int, header: Header) -> tuple[object, ...]:
    # Times say nothing: they change with every use.
    state = os.fstat(handle)
    return state.st_dev, state.st_ino, state.st_size, header.digest
