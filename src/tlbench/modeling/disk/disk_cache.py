"""Provides `DiskCache`: arrays on disk, shared by workers and runs, with everything they depend on as their key.

An entry is computed by one process while others wait for it. A rename makes it visible, so an entry is complete or
absent. There is no `fsync`: a file damaged by a power failure is detected by its digest. Disk errors never propagate:
the caller goes on without the cache, and one warning is logged.
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

from tlbench.contracts.untrusted.open_flags import BINARY, NO_LINK, NOT_INHERITED
from tlbench.modeling.disk import cache_folder as disk_folder
from tlbench.modeling.disk import cache_settings
from tlbench.modeling.disk.file_format import Damaged, Header, Key, canonical, check_digest, read_header, view
from tlbench.modeling.disk.writing import EntryWriter, lock_partial_file
from tlbench.system.process_memory import add_cached, memory_growth

if TYPE_CHECKING:
    import numpy as np

# the standard tag by which backup programs recognise a folder to leave out
_TAG = "CACHEDIR.TAG"
_TAG_TEXT = "Signature: 8a477f597d28d172789f06886806bc55\n# Made by tlbench; `tlbench cache` looks after it.\n"

log = logging.getLogger("tlbench.cache")


@dataclass(frozen=True)
class StoredArrays:
    """A verified entry. Its arrays are views into the mapped file, loaded on access.

    Writing into an array changes this process's copy only, never the file.
    """

    header: Header
    _mapped: mmap.mmap

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata that was stored with the entry."""
        return self.header.metadata

    def array(self, name: str) -> np.ndarray:
        """Returns an array; bfloat16, which numpy lacks, as int16.

        Raises:
            KeyError: The entry has no array of this name.
        """
        return view(self._mapped, self.header, name)

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns all arrays by name."""
        return {name: self.array(name) for name in self.header.arrays}


class DiskCache:
    """A folder of entries bounded to `limit_bytes` in total; the least recently used are removed first."""

    def __init__(self, folder: Path, limit_bytes: int, reserve_bytes: int = cache_settings.RESERVE_BYTES) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes
        self.reserve_bytes = reserve_bytes
        self._verified: set[tuple[object, ...]] = set()
        self._writable = True

    def find(self, kind: str, key: Key) -> StoredArrays | None:
        """Returns the entry of this key, or None; a damaged entry is removed."""
        path = self._path(kind, key)
        try:
            handle = os.open(path, os.O_RDONLY | BINARY | NOT_INHERITED | NO_LINK)
        except OSError:
            return None
        try:
            return self._load(handle, key)
        except Damaged as error:
            log.warning("%s is dropped: %s", path, error)
            with suppress(OSError):
                # another process may have replaced it with a good one meanwhile
                if disk_folder.is_at(handle, path):
                    path.unlink()
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read: %s", path, error)
        finally:
            # the mapping keeps the file open by itself
            os.close(handle)
        return None

    def drop(self, kind: str, key: Key) -> None:
        """Removes an entry, for example one that turned out to be outdated."""
        with suppress(OSError):
            self._path(kind, key).unlink()

    @contextmanager
    def writer(self, kind: str, key: Key) -> Iterator[EntryWriter]:
        """Yields a writer for a new entry; first waits while another process writes the same entry.

        Call `find` again inside the block: the other process may have stored the entry meanwhile. An entry that is not
        committed in the block is removed.
        """
        path = self._path(kind, key)
        writer = EntryWriter(
            path,
            dict(key),
            self._lock(path),
            self.limit_bytes,
            self.reserve_bytes,
            on_error=self._disable_writing,
            on_commit=lambda header, handle: self._after_commit(path, header, handle),
        )
        try:
            yield writer
        finally:
            writer.close()

    def arrays(self, kind: str, key: Key, make: Callable[[], Mapping[str, np.ndarray]]) -> Mapping[str, np.ndarray]:
        """Returns the arrays of this key; if they are not stored, calls `make` in one process and stores them."""
        if (entry := self.find(kind, key)) is not None:
            return _counted_arrays(entry)
        with self.writer(kind, key) as writer:
            # another process may have stored the entry while this one waited for the lock
            if (entry := self.find(kind, key)) is not None:
                return _counted_arrays(entry)
            with writer.heartbeat(), memory_growth() as growth:
                created = make()
            for name, array in created.items():
                writer.add(name, array)
            stored = writer.commit({"peak_bytes": growth.bytes})
        # the mapped file replaces the arrays in memory: its pages are shared by all processes
        entry = self.find(kind, key) if stored else None
        return created if entry is None else entry.arrays()

    def _disable_writing(self, reason: object) -> None:
        """Stops writing in this process; logs the reason the first time."""
        if self._writable:
            log.warning("the cache in %s cannot be written (%s): going on in memory", self.folder, reason)
        self._writable = False

    def _after_commit(self, path: Path, header: Header, handle: int) -> None:
        """Registers an entry that was just written, and removes old ones if the limit is exceeded."""
        # this process computed the digest itself: no need to read the file back
        self._verified.add(_identity(handle, header))
        with suppress(OSError):
            disk_folder.sweep(self.folder)
            disk_folder.prune(self.folder, self.limit_bytes, spare=path)

    def _path(self, kind: str, key: Key) -> Path:
        digest = hashlib.sha256(canonical(dict(key)).encode()).hexdigest()[:32]
        return disk_folder.entry_path(self.folder, kind, digest)

    def _load(self, handle: int, key: Key) -> StoredArrays:
        """Verifies an open file, marks it as used and maps it.

        Raises:
            Damaged: The file is damaged, or belongs to another key.
        """
        header = read_header(handle)
        if header.key != dict(key):
            raise Damaged("it is the entry of another key")
        # the digest takes a pass over the whole file, so it is checked once per process and file
        identity = _identity(handle, header)
        if identity not in self._verified:
            check_digest(handle, header)
            self._verified.add(identity)
        with suppress(OSError):
            # the modification time is the time of last use; in another user's folder it cannot be set
            os.utime(handle)
        return StoredArrays(header, mmap.mmap(handle, 0, access=mmap.ACCESS_COPY))

    def _lock(self, path: Path) -> int | None:
        """Returns the descriptor of the entry's locked partial file, or None if the entry cannot be written."""
        if not self._writable:
            return None
        try:
            self._create_folder()
            return lock_partial_file(path)
        except OSError as error:
            self._disable_writing(error.strerror or error)
            return None

    def _create_folder(self) -> None:
        if not self.folder.is_dir():
            # readable by its owner only, since entries are derived from the user's data
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self.folder / _TAG).write_text(_TAG_TEXT)


def shared() -> DiskCache | None:
    """Returns this process's cache as configured by the environment, or None if it is disabled.

    Raises:
        UsageError: The size limit in the environment is not a size.
    """
    # read at every call: `--cache-limit` and tests change the environment of a running process
    location = cache_settings.folder(), cache_settings.limit_bytes()
    if not location[1]:
        return None
    if location not in _shared:
        _shared[location] = DiskCache(*location)
    return _shared[location]


def cached_arrays(kind: str, key: Key, make: Callable[[], Mapping[str, np.ndarray]]) -> Mapping[str, np.ndarray]:
    """Returns the arrays cached under this key on this machine; calls `make` if they are not cached yet.

    For anything a plugin would otherwise compute anew in each process, such as tokens. Treat the arrays as read-only.

    Args:
        kind: A short word in lower case that names the sort of data; `tlbench cache info` shows it.
        key: Everything that the arrays depend on: fingerprints, settings, versions of libraries.
        make: Computes the arrays by name; called in one process at a time.

    Raises:
        ValueError: `kind` is not a short word in lower case.
    """
    cache = shared()
    return make() if cache is None else cache.arrays(kind, key, make)


_shared: dict[tuple[Path, int], DiskCache] = {}


def _identity(handle: int, header: Header) -> tuple[object, ...]:
    # without the modification time, which changes with every use
    state = os.fstat(handle)
    return state.st_dev, state.st_ino, state.st_size, header.digest


def _counted_arrays(entry: StoredArrays) -> Mapping[str, np.ndarray]:
    """Returns the arrays, and counts the memory that making them needed as if this process had made them."""
    # held_bytes is 0: a process that makes arrays maps them from the file afterwards, too
    add_cached(int(entry.metadata.get("peak_bytes", 0)), 0)
    return entry.arrays()
