"""IDX files, as MNIST and its family are published in: a magic number, the sizes, then bytes."""

from __future__ import annotations

import gzip
import math
import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from tlbench import DataError

if TYPE_CHECKING:
    import numpy as np

_BYTES = 0x08
"""The code of unsigned bytes, the only kind of number that these data sets hold."""
_MOST = 1 << 30
"""Bytes that a file may unpack to; the largest of the family holds 0.2 of it."""


def read_idx(path: Path) -> np.ndarray:
    """Returns an array of uint8 in the shape that the file says; a name that ends in `.gz` is unpacked.

    Raises:
        DataError: Not an IDX file of bytes, or shorter or longer than it says.
    """
    import numpy as np

    try:
        with _opened(path) as file:
            zero, kind, axes = struct.unpack(">HBB", _exactly(file, 4, path))
            if zero or kind != _BYTES or not 1 <= axes <= 4:
                raise DataError(f"{path}: not an IDX file of bytes: it begins with {zero:04x}{kind:02x}{axes:02x}")
            shape = struct.unpack(f">{axes}I", _exactly(file, 4 * axes, path))
            count = math.prod(shape)
            if count > _MOST:
                raise DataError(f"{path}: says that it holds {shape}, more than {_MOST} bytes")
            content = _exactly(file, count, path)
            if file.read(1):
                raise DataError(f"{path}: longer than the {shape} that it says it holds")
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def read_labelled(images: Path, labels: Path, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns (N, H, W) uint8 images and (N,) uint8 labels of two files that belong together.

    Raises:
        DataError: A file that cannot be used, unequal numbers, or a label that is no class.
    """
    pixels, targets = read_idx(images), read_idx(labels)
    if pixels.ndim != 3 or targets.ndim != 1:
        raise DataError(f"{images} and {labels}: shapes {pixels.shape} and {targets.shape}, not images and labels")
    if len(pixels) != len(targets):
        raise DataError(f"{images} holds {len(pixels)} images, but {labels} {len(targets)} labels")
    if len(targets) and int(targets.max()) >= classes:
        row = int((targets >= classes).argmax())
        raise DataError(f"{labels}, row {row + 1}: label {targets[row]}, but there are {classes} classes")
    return pixels, targets


def _opened(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _exactly(file: BinaryIO, count: int, path: Path) -> bytes:
    content = file.read(count)
    if len(content) != count:
        raise DataError(f"{path}: ends too early: {len(content)} bytes where {count} were due")
    return content
