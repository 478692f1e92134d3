"""Which code made what is kept beside the records: other code may make something else of the same records."""

from __future__ import annotations

import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path

_MAKERS = (
    "contracts/cell.py", "contracts/metric.py", "contracts/record.py", "contracts/space.py",
    *(f"metrics/{name}.py" for name in (
        "answers", "builtin", "classes", "correlations", "entities", "errors", "formula", "probabilities", "resampling",
        "scored", "texts",
    )),
    *(f"results/{name}.py" for name in (
        "answers", "index", "journal", "lines", "provenance", "ranking", "record_files", "stats",
    )),
)  # fmt: skip


@cache
def code_version() -> int:
    """Returns a checksum of the code that makes lines and ranks."""
    import tlbench

    root = Path(tlbench.__file__).parent
    checksum = zlib.crc32(tlbench.__version__.encode())
    for name in _MAKERS:
        with suppress(OSError):
            checksum = zlib.crc32((root / name).read_bytes(), checksum)
    return checksum
