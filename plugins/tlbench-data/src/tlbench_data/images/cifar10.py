"""Reads CIFAR-10's binary version: rows of one label and 3,072 pixel bytes.

The Python version is a pickle, which could run code, and is never read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench import DataError
from tlbench.contracts.untrusted.regular_files import read_regular_file, reason_of

if TYPE_CHECKING:
    import numpy as np

SIDE = 32
_ROW = 1 + 3 * SIDE * SIDE


def read_cifar(paths: Sequence[Path], classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Returns images (N, 32, 32, 3) uint8 and labels (N,) uint8 of the files, concatenated.

    Raises:
        DataError: A file is not made of whole rows, or a label is not a class index.
    """
    import numpy as np

    batches = []
    for path in paths:
        try:
            content = read_regular_file(path, 2**30, links="followed")
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {reason_of(error)}") from error
        if not content or len(content) % _ROW:
            raise DataError(
                f"{path}: {len(content)} bytes, which is not a number of rows of {_ROW} bytes; is the file complete?"
            )
        rows = np.frombuffer(content, dtype=np.uint8).reshape(-1, _ROW)
        wrong = (rows[:, 0] >= classes).nonzero()[0]
        if len(wrong):
            row = int(wrong[0])
            raise DataError(f"{path}, row {row + 1}: label {rows[row, 0]}, but there are {classes} classes")
        batches.append(rows)
    rows_of_all = np.concatenate(batches)
    # Stored as three colour planes; PIL needs the three colours of a pixel side by side.
    return rows_of_all[:, 1:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1), rows_of_all[:, 0]
