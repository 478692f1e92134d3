"""Writing an entry of the cache: in a draft beside it, which is its own lock, and which is renamed when it is whole.

The kernel frees the lock of a process that dies, so a draft that nobody holds was left behind; whoever wants the entry
next takes it over.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.modeling.disk import cache_folder as disk_folder
from tlbench.modeling.disk.file_format import Array, Damaged, Header, Key, dtype_name, packed, read_header, room_for

if TYPE_CHECKING:
    import numpy as np

PATIENCE_SECONDS = 300.0
"""A process that makes an entry and has shown no sign of life for so long (stopped, or stuck) is not waited for."""
BEAT_SECONDS = 30.0
"""Between two signs of life of a process that makes an entry in one piece."""
_LOOK_AGAIN_SECONDS = 0.05
_BUSY = 0.001
"""The share of a core that is used by whoever works, be it on a slow disk or behind others; beating takes less."""

log = logging.getLogger("tlbench.cache")


class Draft:
    """An entry that is being written: nobody reads it before it is committed, and this process alone writes it.

    Once something is in the way (the disk, the limit) it takes whatever is added and keeps nothing.
    """

    def __init__(
        self,
        path: Path,
        key: Key,
        handle: int | None,
        limit_bytes: int,
        reserve_bytes: int,
        stopped: Callable[[object], None],
        committed: Callable[[Header, int], None],
    ) -> None:
        """Takes the handle that `claimed` gave, and what to tell when the disk is in the way and when it is done."""
        self.seconds = 0.0
        """Time spent on writing."""
        self._path, self._key, self._handle = path, key, handle
        self._limit_bytes, self._reserve_bytes = limit_bytes, reserve_bytes
        self._stopped, self._committed = stopped, committed
        self._arrays: dict[str, Array] = {}
        self._digest = hashlib.sha256()
        self._room = room_for(key)
        self._size = 0

    @classmethod
    def dead(cls) -> Draft:
        """Returns a draft that keeps nothing."""
        return cls(Path(), {}, None, 0, 0, lambda reason: None, lambda header, handle: None)

    @property
    def alive(self) -> bool:
        """Whether what is added is kept."""
        return self._handle is not None

    @property
    def limit_bytes(self) -> int:
        """How large the entry may become."""
        return self._limit_bytes if self.alive else 0

    def add(self, name: str, part: np.ndarray, dtype: str | None = None) -> None:
        """Appends rows to an array: the parts of one array come one after the other and differ in their first size.

        Args:
            name: The array's.
            part: At least one-dimensional.
            dtype: As safetensors names it, where numpy has no such type and the part holds its bits.
        """
        if self._handle is None:
            return
        import numpy as np

        began = time.perf_counter()
        try:
            self._extend(name, part.shape, dtype or dtype_name(part.dtype))
            self._write(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
        except TypeError:
            self.close()
        except OSError as error:
            self._stop(error)
        self.seconds += time.perf_counter() - began

    def touch(self) -> None:
        """Tells those who wait for the entry that it is being worked on: what is written tells them by itself."""
        if self._handle is not None:
            with suppress(OSError):
                os.utime(self._handle)

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Touches the draft from time to time until the block ends, for as long as this process computes."""
        ended = threading.Event()

        def beat() -> None:
            computed = time.process_time()
            while not ended.wait(BEAT_SECONDS):
                # what is stuck computes nothing, and is not to be waited for
                if (now := time.process_time()) - computed > BEAT_SECONDS * _BUSY:
                    self.touch()
                computed = now

        thread = threading.Thread(target=beat, name="tlbench-draft", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def commit(self, about: Key) -> bool:
        """Makes the entry what others find, with what is to be said of it; returns whether it was kept."""
        if self._handle is None:
            return False
        began = time.perf_counter()
        try:
            packed_header = packed(self._key, about, self._arrays, self._digest, self._room)
            os.pwrite(self._handle, packed_header, 0)
            header = read_header(self._handle)
            os.replace(self._draft, self._path)
            self._committed(header, self._handle)
        except OSError as error:
            self._stop(error)
            return False
        except (Damaged, ValueError) as error:
            log.warning("%s is not kept: %s", self._path, error)
            self.close()
            return False
        os.close(self._handle)
        self._handle = None
        self.seconds += time.perf_counter() - began
        return True

    def close(self) -> None:
        """Removes what was not committed."""
        if self._handle is None:
            return
        with suppress(OSError):
            if disk_folder.is_at(self._handle, self._draft):
                self._draft.unlink()
        os.close(self._handle)
        self._handle = None

    @property
    def _draft(self) -> Path:
        return draft_of(self._path)

    def _extend(self, name: str, shape: tuple[int, ...], dtype: str) -> None:
        known = self._arrays.get(name)
        if known is None:
            self._arrays[name] = Array(dtype, shape, self._size)
            return
        if known.dtype != dtype or known.shape[1:] != shape[1:] or name != next(reversed(self._arrays)):
            raise TypeError("the parts do not fit together")
        self._arrays[name] = Array(dtype, (known.shape[0] + shape[0], *shape[1:]), known.first)

    def _write(self, part: memoryview) -> None:
        assert self._handle is not None
        self._size += len(part)
        if self._room + self._size > self._limit_bytes:
            self.close()
            return
        space = os.fstatvfs(self._handle)
        if space.f_bavail * space.f_frsize - len(part) < self._reserve_bytes:
            self._stop("the disk is nearly full")
            return
        self._digest.update(part)
        position = self._room + self._size - len(part)
        while part:
            # a full disk writes a part and raises only at the next call
            written = os.pwrite(self._handle, part, position)
            part, position = part[written:], position + written

    def _stop(self, reason: OSError | str) -> None:
        self.close()
        self._stopped(reason.strerror or reason if isinstance(reason, OSError) else reason)


def claimed(path: Path) -> int | None:
    """Returns a handle on the empty draft of an entry, locked for this process alone; waits while another has it.

    None where the one that has it shows no sign of life.

    Raises:
        OSError: Nothing can be written there, or not be locked.
    """
    draft = draft_of(path)
    while True:
        handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            locked = _lock(handle)
            # it may have been renamed or removed meanwhile
            current = disk_folder.is_at(handle, draft)
            if locked and current:
                os.ftruncate(handle, 0)
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        if not locked and current:
            return None


def draft_of(path: Path) -> Path:
    """Returns where an entry is written before it is whole."""
    return path.with_name(f".{path.name}.draft")


def _lock(handle: int) -> bool:
    """Locks a draft; returns False where whoever holds the lock shows no sign of life."""
    moved, waited = -1, 0.0
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            state = os.fstat(handle)
            if state.st_mtime_ns != moved or not state.st_nlink:
                moved, waited = state.st_mtime_ns, 0.0
            if waited >= PATIENCE_SECONDS:
                return False
            time.sleep(_LOOK_AGAIN_SECONDS)
            waited += _LOOK_AGAIN_SECONDS
