"""Errors of the system as one line: which file, what is wrong with it, and what to do next."""

from __future__ import annotations

import errno

from tlbench.contracts.untrusted.regular_files import reason_of

_REMEDIES = {
    errno.ENOSPC: "free some space, and run the command again",
    errno.EDQUOT: "free some of your quota, and run the command again",
    errno.EROFS: "make the disk writable, or name a folder on another one",
    errno.EACCES: "give yourself the right to it, or name another place",
    errno.EPERM: "give yourself the right to it, or name another place",
    errno.ELOOP: "remove it, or name another place",
    errno.EINVAL: "remove it, or name another place",
    errno.ENXIO: "remove it, or name another place",
    errno.EIO: "the disk may be failing: copy what you need, and look at the system's log",
    errno.EMFILE: "raise the limit of open files (ulimit -n), and run the command again",
    errno.ENFILE: "close other programs, and run the command again",
    errno.ENOENT: "check the name, or make it",
    errno.ENOTDIR: "check the name: a file is where a folder is expected",
    errno.EISDIR: "check the name: a folder is where a file is expected",
}


def line_of(error: OSError | UnicodeError) -> str:
    """Returns an error of the system as one line without its class and number."""
    if isinstance(error, UnicodeError):
        return f"a text that is no UTF-8: {reason_of(error)}: check the file or name that was given"
    reason = reason_of(error)
    reason = f"{reason[:1].lower()}{reason[1:]}" if error.strerror else f"{type(error).__name__}: {reason}"
    where = ": ".join(str(name) for name in (error.filename, error.filename2) if name)
    return ": ".join(filter(None, (where, reason, _REMEDIES.get(error.errno or 0, ""))))
