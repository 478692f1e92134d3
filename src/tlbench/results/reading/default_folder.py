"""The folder of results where none is named."""

from __future__ import annotations

import os
from contextvars import ContextVar
from pathlib import Path

OUT_VARIABLE = "TLBENCH_OUT"
DEFAULT_OUT = "tlbench-results"


def default_folder() -> Path:
    """Returns the folder of results that the environment names, else `tlbench-results`."""
    return Path(os.environ.get(OUT_VARIABLE) or DEFAULT_OUT)


_searched: ContextVar[Path | None] = ContextVar("searched", default=None)


def search_in(folder: Path) -> None:
    """Makes a command's folder of results the one in which names such as `run:<cell>` are looked up."""
    _searched.set(folder)


def searched_folder() -> Path:
    """Returns the folder in which names such as `run:<cell>` are looked up: the command's, else the default one."""
    return _searched.get() or default_folder()
