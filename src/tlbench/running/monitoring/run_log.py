"""The log of a run: a file in the work folder whose lines carry the run's id, as do the log lines of its workers."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from tlbench.contracts.untrusted.regular_files import open_to_append
from tlbench.results.render.escaping import printable

RUN_VARIABLE = "TLBENCH_RUN"
"""The environment variable that tells workers the id of their run."""
NAME = "run.log"
_FORMAT = "%(asctime)s %(levelname)s run={run} %(name)s: %(message)s"
_TIMES = "%Y-%m-%d %H:%M:%S"
_log = logging.getLogger("tlbench")


def new_run_id() -> str:
    """Returns an id for a run, 8 hexadecimal digits."""
    return secrets.token_hex(4)


class _OneLine(logging.Formatter):
    """Formats each message as one line without control characters, since it may quote names of plugins and files."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record), 4000)


@contextmanager
def logged(work: Path, run: str) -> Iterator[Path]:
    """Appends what tlbench logs to the run's log while the block runs; yields the path of the log.

    Nothing is logged to the file if it cannot be written.
    """
    path = work / NAME
    handler = _handler(path)
    handler.setLevel(logging.INFO)
    handler.setFormatter(_formatter(run))
    level, variable = _log.level, os.environ.get(RUN_VARIABLE)
    _log.addHandler(handler)
    _log.setLevel(min(level or logging.WARNING, logging.INFO))
    os.environ[RUN_VARIABLE] = run
    try:
        yield path
    finally:
        os.environ.pop(RUN_VARIABLE, None)
        if variable is not None:
            os.environ[RUN_VARIABLE] = variable
        _log.setLevel(level)
        _log.removeHandler(handler)
        handler.close()


def log_as_worker(run: str) -> None:
    """Prints the log lines of this worker process to its stderr, with the id of its run."""
    root = logging.getLogger()
    if run and not root.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(_formatter(run))
        root.addHandler(handler)


class _LogFile(logging.StreamHandler[TextIOWrapper]):
    """Writes to a file that was opened, and closes it."""

    def close(self) -> None:
        """Closes the file."""
        super().close()
        self.stream.close()


def _formatter(run: str) -> logging.Formatter:
    return _OneLine(_FORMAT.format(run=run), _TIMES)


def _handler(path: Path) -> Any:
    with suppress(OSError):
        text = TextIOWrapper(open_to_append(path), encoding="utf-8", errors="backslashreplace", write_through=True)
        return _LogFile(text)
    return logging.NullHandler()
