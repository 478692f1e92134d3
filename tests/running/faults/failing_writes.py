"""Makes one write call of a folder fail: opening, writing, flushing, renaming or linking a file, or making a folder."""

import os
import sys
from contextlib import contextmanager

_EVENTS = {"open", "os.rename", "os.link", "os.mkdir"}
_current = None
"""The faults in effect; an audit hook cannot be removed."""


class FailingWrites:
    """Counts the write calls below a folder, and raises an error in one of them."""

    def __init__(self, folder, number, errno):
        self.folder, self.number, self.errno = str(folder), number, errno
        self.count = 0
        self.failed = ""

    def call(self, what, path):
        if not str(path).startswith(self.folder):
            return
        if self.count == self.number:
            self.failed = f"{what} {path}"
        self.count += 1
        if self.failed.startswith(what) and self.count == self.number + 1:
            raise OSError(self.errno, os.strerror(self.errno), str(path) if what != "write" else None)


def _audit(event, arguments):
    if _current is None or event not in _EVENTS:
        return
    path = arguments[0]
    if event == "open":
        flags = arguments[2] or 0
        # Python's own `open` and `os.open` both give the flags.
        if isinstance(path, int) or not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
    _current.call(event, os.fsdecode(path))


sys.addaudithook(_audit)


@contextmanager
def failing_writes(folder, number, errno, patch):
    """Lets the write call with this number, from 0, below a folder fail; yields what counts the calls."""
    global _current
    write, fsync = os.write, os.fsync
    _current = faults = FailingWrites(folder, number, errno)

    def path_of(handle):
        try:
            return os.readlink(f"/proc/self/fd/{handle if isinstance(handle, int) else handle.fileno()}")
        except OSError:
            return ""

    def writing(handle, content):
        faults.call("write", path_of(handle))
        return write(handle, content)

    def flushing(handle):
        faults.call("fsync", path_of(handle))
        fsync(handle)

    try:
        with patch.context() as patched:
            patched.setattr(os, "write", writing)
            patched.setattr(os, "fsync", flushing)
            yield faults
    finally:
        _current = None
