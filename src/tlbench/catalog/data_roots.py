"""The folders of data files that the variable `TLBENCH_DATA` lists."""

from __future__ import annotations

import os
from pathlib import Path

DATA_VARIABLE = "TLBENCH_DATA"
"""The environment variable; `--data-root` sets it for one command and its workers."""


def data_roots() -> tuple[Path, ...]:
    """Returns the folders that the variable lists, in order; empty if it is not set."""
    parts = os.environ.get(DATA_VARIABLE, "").split(os.pathsep)
    return tuple(Path(part.strip()).expanduser() for part in parts if part.strip())
