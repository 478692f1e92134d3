"""CIFAR-10's binary version: rows of one label and 3,072 bytes. The Python version is pickles, which are never read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench import DataError

if TYPE_CHECKING:
    import numpy as np

SIDE = 32
_ROW = 1 + 3 * SIDE * SIDE


def read_cifar(paths: Sequence[Path], classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Returns (N, 32, 32, 3) uint8 images and (N,) uint8 labels of the files, one after the other.

    Raises:
        DataError: A file that does not consist of whole rows, or a label that is no class.
    """
    import numpy as np

    batches = []
    for path in paths:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error
        if not content or len(content) % _ROW:
            raise DataError(f"{path}: {len(content)} bytes, which is not a number of rows of {_ROW}")
        rows = np.frombuffer(content, dtype=np.uint8).reshape(-1, _ROW)
        wrong = (rows[:, 0] >= classes).nonzero()[0]
        if len(wrong):
            row = int(wrong[0])
            raise DataError(f"{path}, row {row + 1}: label {rows[row, 0]}, but there are {classes} classes")
        batches.append(rows)
    whole = np.concatenate(batches)
    return whole[:, 1:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1), whole[:, 0]
