"""Reads IDX files, the format of MNIST and its relatives: magic number, sizes, then bytes."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from tlbench import DataError
from tlbench.contracts.untrusted.expansion import read_whole
from tlbench.contracts.untrusted.regular_files import open_regular

if TYPE_CHECKING:
    import numpy as np

_BYTES = 0x08
"""Type code of unsigned bytes, the only one that these data sets use."""
_MOST_BYTES = 1 << 30
"""Maximum size in bytes of a file once unpacked; the largest published file of the MNIST family has a fifth of that."""


def read_idx(path: Path) -> np.ndarray:
    """Returns an array of uint8 in the shape that the file declares; `.gz` files are unpacked.

    Raises:
        DataError: The file is not IDX of bytes, or its length differs from the declared one.
    """
    import numpy as np

    try:
        with _open(path) as file:
            zero, kind, axes = struct.unpack(">HBB", _read_exactly(file, 4, path))
            if zero or kind != _BYTES or not 1 <= axes <= 4:
                raise DataError(f"{path}: not an IDX file of bytes: it begins with {zero:04x}{kind:02x}{axes:02x}")
            shape = struct.unpack(f">{axes}I", _read_exactly(file, 4 * axes, path))
            # Checked before reading: a header is 20 bytes, but could ask for any amount of memory.
            count = math.prod(shape)
            if count > _MOST_BYTES:
                raise DataError(f"{path}: declares the shape {shape}, more than {_MOST_BYTES} bytes")
            content = _read_exactly(file, count, path)
            if file.read(1):
                raise DataError(f"{path}: longer than its declared shape {shape}")
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def read_labelled(images: Path, labels: Path, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns images (N, H, W) uint8 and labels (N,) uint8 of two matching files.

    Raises:
        DataError: A file cannot be used, their lengths differ, or a label is not a class index.
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


def _open(path: Path) -> BinaryIO:
    # Decided by the suffix alone: some mirrors publish the unpacked files under the same stems.
    raw = open_regular(path, links="followed")
    return cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if path.suffix == ".gz" else raw


def _read_exactly(file: BinaryIO, count: int, path: Path) -> bytes:
    content = read_whole(file, count)
    if len(content) != count:
        raise DataError(f"{path}: ends too early: {len(content)} bytes where {count} are expected")
    return content
