"""Writes cache entries atomically: into a locked partial file beside the entry, renamed when it is complete.

The partial file is its own lock. The kernel releases the lock of a process that dies, so an unlocked partial file was
abandoned, and the next process that needs the entry takes it over.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.contracts.untrusted.open_flags import BINARY, NO_LINK, NOT_INHERITED
from tlbench.modeling.disk import cache_folder as disk_folder
from tlbench.modeling.disk.file_format import (
    Array,
    Damaged,
    Header,
    Key,
    dtype_name,
    header_size_for,
    pack_header,
    read_header,
)
from tlbench.system.background.periodic import called_every
from tlbench.system.portable.file_lock import lock_now

if TYPE_CHECKING:
    import numpy as np

STALE_AFTER_SECONDS = 300.0
"""A process stops waiting for another one whose partial file has not been modified for this long."""
HEARTBEAT_SECONDS = 30.0
"""Interval between heartbeats of a process that computes an entry in one piece."""
_POLL_SECONDS = 0.05
_MIN_CPU_SHARE = 0.001
"""The share of a core below which a process counts as stuck. Even with slow disks and busy cores a computing process
uses more than this; the heartbeats of a stuck process use less."""

log = logging.getLogger("tlbench.cache")


class EntryWriter:
    """A cache entry being written by this process; readers see it only after `commit`.

    A failure (full disk, size limit) never raises: the writer becomes inactive, and what is added later is discarded.
    """

    def __init__(
        self,
        path: Path,
        key: Key,
        handle: int | None,
        limit_bytes: int,
        reserve_bytes: int,
        on_error: Callable[[object], None],
        on_commit: Callable[[Header, int], None],
    ) -> None:
        """Wraps an open partial file.

        Args:
            path: The path of the finished entry.
            key: Everything that the entry depends on.
            handle: The descriptor that `lock_partial_file` returned; None for a writer that discards everything.
            limit_bytes: The largest size of the entry.
            reserve_bytes: The free space to leave on the disk.
            on_error: Called with the reason if the disk cannot be written.
            on_commit: Called with the header and the descriptor after the entry was renamed into place.
        """
        self.seconds = 0.0
        """Time spent on writing."""
        self._path, self._key, self._handle = path, key, handle
        self._limit_bytes, self._reserve_bytes = limit_bytes, reserve_bytes
        self._on_error, self._on_commit = on_error, on_commit
        self._arrays: dict[str, Array] = {}
        self._digest = hashlib.sha256()
        self._header_size = header_size_for(key)
        self._size = 0

    @classmethod
    def disabled(cls) -> EntryWriter:
        """Returns a writer that discards everything, for callers without a cache on disk."""
        return cls(Path(), {}, None, 0, 0, lambda reason: None, lambda header, handle: None)

    @property
    def active(self) -> bool:
        """Whether added arrays are written."""
        return self._handle is not None

    @property
    def limit_bytes(self) -> int:
        """The largest size of the entry in bytes; 0 if the writer is inactive."""
        return self._limit_bytes if self.active else 0

    def add(self, name: str, part: np.ndarray, dtype: str | None = None) -> None:
        """Appends rows to an array; its parts must be added one after the other and match in all but the first axis.

        Args:
            name: The name of the array.
            part: The rows, (n, ...).
            dtype: The safetensors dtype if `part` holds the bits of a type that numpy lacks, such as "BF16".
        """
        if self._handle is None:
            return
        import numpy as np

        began = time.perf_counter()
        try:
            self._extend(name, part.shape, dtype or dtype_name(part.dtype))
            self._write(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
        except TypeError:
            # the caller's arrays cannot be stored; the disk is fine, so the cache stays writable
            self.close()
        except OSError as error:
            self._fail(error)
        self.seconds += time.perf_counter() - began

    def touch(self) -> None:
        """Updates the modification time, so that waiting processes see progress; writing does so by itself."""
        if self._handle is not None:
            with suppress(OSError):
                os.utime(self._handle)

    @contextmanager
    def heartbeat(self) -> Iterator[None]:
        """Touches the partial file at intervals while the block runs and this process uses the CPU."""
        computed = time.process_time()

        def beat() -> None:
            nonlocal computed
            # a deadlocked process uses no CPU: without heartbeats the others stop waiting for it
            if (now := time.process_time()) - computed > HEARTBEAT_SECONDS * _MIN_CPU_SHARE:
                self.touch()
            computed = now

        with called_every(HEARTBEAT_SECONDS, beat, "tlbench-cache-heartbeat"):
            yield

    def commit(self, metadata: Key) -> bool:
        """Publishes the entry under its final name, with metadata; returns whether it was stored."""
        if self._handle is None:
            return False
        began = time.perf_counter()
        try:
            # the header goes in last: until now these bytes are zeros, which no reader accepts
            header_bytes = pack_header(self._key, metadata, self._arrays, self._digest, self._header_size)
            os.pwrite(self._handle, header_bytes, 0)
            header = read_header(self._handle)
            os.replace(self._partial, self._path)
            self._on_commit(header, self._handle)
        except OSError as error:
            self._fail(error)
            return False
        except (Damaged, ValueError) as error:
            log.warning("%s is not cached: %s", self._path, error)
            self.close()
            return False
        # closing releases the lock: processes that waited now find the entry
        os.close(self._handle)
        self._handle = None
        self.seconds += time.perf_counter() - began
        return True

    def close(self) -> None:
        """Removes the partial file unless it was committed."""
        if self._handle is None:
            return
        with suppress(OSError):
            # unlink goes by name, and the name may belong to another process's file by now
            if disk_folder.is_at(self._handle, self._partial):
                self._partial.unlink()
        os.close(self._handle)
        self._handle = None

    @property
    def _partial(self) -> Path:
        return partial_path(self._path)

    def _extend(self, name: str, shape: tuple[int, ...], dtype: str) -> None:
        known = self._arrays.get(name)
        if known is None:
            self._arrays[name] = Array(dtype, shape, self._size)
            return
        # bytes are only ever appended, so only the last array can grow
        if known.dtype != dtype or known.shape[1:] != shape[1:] or name != next(reversed(self._arrays)):
            raise TypeError("the parts do not fit together")
        self._arrays[name] = Array(dtype, (known.shape[0] + shape[0], *shape[1:]), known.first)

    def _write(self, part: memoryview) -> None:
        assert self._handle is not None
        self._size += len(part)
        if self._header_size + self._size > self._limit_bytes:
            self.close()
            return
        space = os.fstatvfs(self._handle)
        if space.f_bavail * space.f_frsize - len(part) < self._reserve_bytes:
            self._fail("the disk is nearly full")
            return
        self._digest.update(part)
        position = self._header_size + self._size - len(part)
        while part:
            # a nearly full disk accepts a part without an error and raises only at the next call
            written = os.pwrite(self._handle, part, position)
            part, position = part[written:], position + written

    def _fail(self, reason: OSError | str) -> None:
        self.close()
        self._on_error(reason.strerror or reason if isinstance(reason, OSError) else reason)


def lock_partial_file(path: Path) -> int | None:
    """Opens, locks and empties an entry's partial file; waits while another process holds the lock.

    Returns:
        The file descriptor, or None if the other process made no progress for `STALE_AFTER_SECONDS`.

    Raises:
        OSError: The file cannot be created or locked.
    """
    partial = partial_path(path)
    while True:
        # O_NOFOLLOW: a symbolic link in the folder must not direct our writes to another file
        handle = os.open(partial, os.O_RDWR | os.O_CREAT | BINARY | NOT_INHERITED | NO_LINK, 0o644)
        try:
            locked = _lock(handle)
            # between open and lock the previous holder may have renamed or removed this file: then open a new one
            current = disk_folder.is_at(handle, partial)
            if locked and current:
                os.ftruncate(handle, 0)
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        if not locked and current:
            return None


def partial_path(path: Path) -> Path:
    """Returns the path of an entry's partial file."""
    # the suffix is shared with other versions of tlbench that use the same folder: they must lock the same file
    return path.with_name(f".{path.name}.draft")


def _lock(handle: int) -> bool:
    """Locks a partial file; returns False if its holder makes no progress."""
    last_modified, waited = -1, 0.0
    while True:
        try:
            # polled, because a blocking flock could not give up on a stuck holder
            lock_now(handle)
            return True
        except BlockingIOError:
            state = os.fstat(handle)
            # a file without a name was committed or removed: its lock is about to be released
            if state.st_mtime_ns != last_modified or not state.st_nlink:
                last_modified, waited = state.st_mtime_ns, 0.0
            if waited >= STALE_AFTER_SECONDS:
                return False
            time.sleep(_POLL_SECONDS)
            waited += _POLL_SECONDS
