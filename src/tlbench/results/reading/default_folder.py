"""The folder of results where none is named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from tlbench.contracts.errors import UsageError

OUT_VARIABLE = "TLBENCH_OUT"
DEFAULT_OUT = "tlbench-results"


def default_folder() -> Path:
    """Returns the folder of results that the environment names, else `tlbench-results`."""
    return Path(os.environ.get(OUT_VARIABLE) or DEFAULT_OUT)


def results_folder(out: str | Path | None) -> Path:
    """Returns the folder of results that was named; for None, the one of the environment or the default.

    Raises:
        UsageError: It begins with the name of a home folder that does not exist.
    """
    return expanded(Path(out or default_folder()))


def expanded(path: Path) -> Path:
    """Returns a path with a leading ~ replaced by the home folder, which a shell leaves in quotes and after `=`.

    Raises:
        UsageError: There is no home folder of this name.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise UsageError(f"{path}: no such home folder; write ./{path} for a folder of this name") from error


_searched: ContextVar[Path | None] = ContextVar("searched", default=None)


def search_in(folder: Path) -> None:
    """Makes a command's folder of results the one in which names such as `run:<cell>` are looked up."""
    _searched.set(folder)


@contextmanager
def searching_in(folder: Path) -> Iterator[None]:
    """Makes a folder the one in which such names are looked up while the block runs."""
    token = _searched.set(folder)
    try:
        yield
    finally:
        _searched.reset(token)


def searched_folder() -> Path:
    """Returns the folder in which names such as `run:<cell>` are looked up: the command's, else the default one."""
    return _searched.get() or default_folder()
