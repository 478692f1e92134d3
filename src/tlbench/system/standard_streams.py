"""Prepares the standard streams: opens closed ones, replaces characters that they cannot encode, checks the width."""

from __future__ import annotations

import codecs
import io
import os
import sys

_PLAIN = {
    "\u2013": "-", "\u2014": "-", "\u2212": "-", "\xb7": "*", "\u2022": "*", "\xb1": "+-", "\xd7": "x", "\u2026": "...",
    "\u201c": '"', "\u201d": '"', "\u2018": "'", "\u2019": "'", "\u2192": "->", "\u202f": " ", "\xa0": " ",
}  # fmt: skip
"""Replacements for characters that an encoding lacks; any other such character becomes a question mark."""
_HANDLER = "tlbench-plain"


def prepare_streams() -> None:
    """Makes the standard streams of this process usable; called once, before any file is opened.

    Closed streams become the null device: otherwise the next file that is opened would get the number of a standard
    stream, and prints would end up in it. Characters that a stream cannot encode are replaced, since a table with a
    question mark is better than none. A width of the terminal (`COLUMNS`) that is no positive number is ignored.
    """
    _open_closed()
    codecs.register_error(_HANDLER, _replaced)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors=_HANDLER)
    for name in ("COLUMNS", "LINES"):
        if not os.environ.get(name, "1").isdecimal() or int(os.environ.get(name, "1")) == 0:
            del os.environ[name]


def _open_closed() -> None:
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    # Python has set a stream to None if its descriptor was closed when the process started.
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(character, "?") for character in text), error.end


def end_of_pipe() -> int:
    """Returns the exit status of a program whose output is no longer read, and discards what is still buffered."""
    # Python flushes stdout when it exits, and would print a second BrokenPipeError: it flushes into /dev/null instead.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    # 128 + SIGPIPE, as for a C program whose reader has gone.
    return 141
