"""Linux system calls and files: prctl, ended processes, and the count of out-of-memory kills."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

_SET_PDEATHSIG, _SET_NAME, _SET_SUBREAPER, _GET_SUBREAPER = 1, 15, 36, 37


def _prctl(option: int, value: object) -> bool:
    """Calls prctl and returns whether the call succeeded; False on systems without prctl."""
    try:
        import ctypes

        # Python has no prctl of its own.
        return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)
    except (ImportError, OSError, AttributeError, TypeError):
        return False


def die_with_parent(signal_number: int) -> None:
    """Has the kernel send this process the signal when the thread that started it ends; 0 cancels that."""
    _prctl(_SET_PDEATHSIG, signal_number)


def adopt_orphans(wanted: bool = True) -> None:
    """Makes this process the new parent of descendants whose parent ends, instead of process 1."""
    _prctl(_SET_SUBREAPER, int(wanted))


def adopts_orphans() -> bool:
    """Returns whether this process adopts orphaned descendants."""
    with suppress(ImportError, OSError, AttributeError, TypeError):
        import ctypes

        answer = ctypes.c_int(0)
        _prctl(_GET_SUBREAPER, ctypes.byref(answer))
        return bool(answer.value)
    return False


def name_process(name: str) -> None:
    """Sets the name that `ps` and `top` show of this process; the kernel keeps 15 bytes."""
    with suppress(ImportError):
        import ctypes

        _prctl(_SET_NAME, ctypes.c_char_p(name.encode(errors="replace")))


def ended() -> int | None:
    """Returns the pid of a child that has ended, without reaping it; None if there is none."""
    try:
        # WNOWAIT leaves the zombie, whose pid and group cannot be given to another process yet.
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return found.si_pid if found is not None else None


def kill(pid: int, *, group: bool = True) -> None:
    """Kills a process and, if `group` is true, all processes of the process group that it leads."""
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)
    if group:
        with suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


def watch_on(driver: int) -> int | None:
    """Returns a file descriptor that is readable once the driver has ended; None on kernels without pidfd."""
    with suppress(OSError):
        # The control socket is not enough: a child of the driver may have inherited the other end and keep it open.
        return os.pidfd_open(driver)
    return None


def environment_has(pid: int, setting: str) -> bool:
    """Returns whether a process was started with this `NAME=value` in its environment; False if that cannot be read."""
    try:
        return setting.encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def prefer_for_memory_kills() -> None:
    """Makes the kernel choose this process, rather than its driver or another program, when memory runs out."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


class MemoryKills:
    """Watches the kernel's count of out-of-memory kills in this process's control group."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._file = next((file for file in self._candidates() if self._read(file) is not None), None)
        self._seen = self._count()

    def rose(self) -> bool:
        """Returns whether there was a kill since the last call."""
        before, self._seen = self._seen, self._count()
        return self._seen > before

    def _count(self) -> int:
        return (self._read(self._file) or 0) if self._file is not None else 0

    def _read(self, file: Path) -> int | None:
        try:
            counts = dict(line.split()[:2] for line in file.read_text().splitlines())
            return int(counts["oom_kill"])
        except (OSError, KeyError, ValueError):
            return None

    def _candidates(self) -> list[Path]:
        """Returns the files that may have the count: for control groups version 1 and 2, in a container or outside."""
        try:
            lines = (self._root / "proc/self/cgroup").read_text().splitlines()
        except OSError:
            return [self._root / "proc/vmstat"]
        groups, files = self._root / "sys/fs/cgroup", []
        for _, controllers, path in (line.split(":", 2) for line in lines if line.count(":") >= 2):
            inside = path.lstrip("/")
            if "memory" in controllers.split(","):
                files += [groups / "memory" / inside / "memory.oom_control", groups / "memory/memory.oom_control"]
            elif not controllers:
                files += [top / inside / "memory.events" for top in (groups, groups / "unified")]
        # The count of the whole machine, where that of the group is not shown.
        return [*files, self._root / "proc/vmstat"]
