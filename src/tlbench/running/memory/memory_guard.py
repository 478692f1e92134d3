"""Ends the worker that holds most memory before the workers take more than they may, or the machine has none left.

The kernel's own killer comes late, and may choose the driver or another program. This guard looks ten times a second
and ends one worker, whose order is then tried again with less (`oom_ladder.py`); all others go on. Linux only.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from tlbench.modeling.disk.cache_settings import size_text
from tlbench.system.child_processes import children

PERIOD_SECONDS = 0.1
RESERVE_BYTES = 1 << 28
"""Available memory of the machine, 256 MiB, below which the largest worker is ended."""
_OWN = re.compile(rb"^(?:RssAnon|RssShmem|VmSwap):\s+(\d+) kB", re.MULTILINE)
_AVAILABLE = re.compile(rb"^MemAvailable:\s+(\d+) kB", re.MULTILINE)
_TOTAL = re.compile(rb"^MemTotal:\s+(\d+) kB", re.MULTILINE)


class MemoryGuard:
    """Watches the memory of worker processes, with the processes that they have started."""

    def __init__(self, limit_bytes: int | None, proc: Path = Path("/proc")) -> None:
        """Starts watching when the first worker is added.

        Args:
            limit_bytes: The memory that all workers together may hold; None to look at the machine's memory alone.
            proc: The folder of process files.
        """
        self._proc = proc
        total = self._meminfo(_TOTAL)
        # What the machine has is kept by looking at what is left, which is one file in place of one for each worker.
        self._limit = None if limit_bytes is None or (total is not None and limit_bytes >= total) else limit_bytes
        self._lock = threading.Lock()
        self._handles: dict[int, int] = {}
        """The pidfd of each worker: a signal through it never reaches another process that got the same pid."""
        self._baselines: dict[int, int] = {}
        """The memory of each worker when it was added, which it shares with the process that it was forked from."""
        self._verdicts: dict[int, str] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, pid: int) -> None:
        """Starts watching a worker; does nothing on systems without pidfd."""
        try:
            handle = os.pidfd_open(pid)
        except (AttributeError, OSError):
            return
        with self._lock:
            self._handles[pid], self._baselines[pid] = handle, self._own_bytes([pid])
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="memory-guard", daemon=True)
            self._thread.start()

    def remove(self, pid: int) -> str:
        """Stops watching a worker that has ended; returns why the guard ended it, or an empty text."""
        with self._lock:
            handle = self._handles.pop(pid, None)
            self._baselines.pop(pid, None)
            if handle is not None:
                os.close(handle)
            return self._verdicts.pop(pid, "")

    def close(self) -> None:
        """Stops watching."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        for pid in tuple(self._handles):
            self.remove(pid)

    def check(self) -> None:
        """Ends the largest worker if there is too little memory; a worker that was ended counts until it is removed."""
        with self._lock:
            # Memory is freed only when a worker that was ended is gone, so wait for that before ending another.
            if not self._handles or self._verdicts:
                return
            limit, available = self._limit, self._available_bytes()
            is_scarce = available is not None and available < RESERVE_BYTES
            if limit is None and not is_scarce:
                return
            held = {pid: self._own_bytes([pid, *_descendants(pid)]) for pid in self._handles}
            # What workers share with the process that they were forked from counts once.
            shared = sum(self._baselines.values()) - max(self._baselines.values())
            total = sum(held.values()) - shared
            largest = max(held, key=lambda pid: held[pid])
            if limit is not None and total > limit:
                room = f"{size_text(limit)} for {'all workers' if len(held) > 1 else 'it'} (--max-memory)"
            elif is_scarce and available is not None:
                room = f"only {size_text(available)} left on this machine"
            else:
                return
            self._verdicts[largest] = f"held {size_text(held[largest])} of memory, with {room}, and was ended"
            with suppress(OSError):
                signal.pidfd_send_signal(self._handles[largest], signal.SIGKILL)

    def _watch(self) -> None:
        while not self._stop.wait(PERIOD_SECONDS):
            self.check()

    def _own_bytes(self, pids: Iterable[int]) -> int:
        """Returns the memory of processes without mapped files; 0 for those that are gone."""
        total = 0
        for pid in pids:
            with suppress(OSError):
                total += sum(map(int, _OWN.findall((self._proc / str(pid) / "status").read_bytes())))
        return 1024 * total

    def _available_bytes(self) -> int | None:
        return self._meminfo(_AVAILABLE)

    def _meminfo(self, line: re.Pattern[bytes]) -> int | None:
        with suppress(OSError):
            if match := line.search((self._proc / "meminfo").read_bytes()):
                return 1024 * int(match[1])
        return None


def _descendants(pid: int) -> set[int]:
    found: set[int] = set()
    with suppress(OSError):
        for child in children(pid):
            found |= {child, *_descendants(child)}
    return found
