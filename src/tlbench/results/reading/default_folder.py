"""The folder of results where none is named."""

from __future__ import annotations

import os
from pathlib import Path

OUT_VARIABLE = "TLBENCH_OUT"
DEFAULT_OUT = "tlbench-results"


def default_folder() -> Path:
    """Returns the folder of results that the environment names, else `tlbench-results`."""
    return Path(os.environ.get(OUT_VARIABLE) or DEFAULT_OUT)
