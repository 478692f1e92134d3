"""Maps of classes as texts of run lengths, such as "2x3:0,4,7,2": height and width, then each class and its length."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

IGNORED = 255
"""The class of pixels that count neither in training nor in metrics."""
_FORM = re.compile(r"([1-9]\d{0,5})x([1-9]\d{0,5}):(\d+,\d+(?:,\d+,\d+)*)", re.ASCII)


def encoded(classes: np.ndarray) -> str:
    """Returns a map of classes (H, W), integers from 0 to 255, as run lengths in the order of its rows."""
    import numpy as np

    height, width = classes.shape
    flat = np.ascontiguousarray(classes, dtype=np.uint8).reshape(-1)
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(np.append(starts, len(flat)))
    runs = np.stack([flat[starts].astype(np.int64), lengths], axis=1).reshape(-1)
    return f"{height}x{width}:{','.join(map(str, runs.tolist()))}"


def decoded(text: str) -> np.ndarray:
    """Returns the map of classes (H, W) in uint8 that a text encodes.

    Raises:
        ValueError: The text encodes no map.
    """
    import numpy as np

    height, width, runs = _parsed(text)
    values, lengths = runs[::2], runs[1::2]
    return np.repeat(np.asarray(values, dtype=np.uint8), lengths).reshape(height, width)


def size_of(text: str) -> tuple[int, int]:
    """Returns height and width of the map that a text encodes.

    Raises:
        ValueError: The text encodes no map.
    """
    return _parsed(text)[:2]


@lru_cache(maxsize=4096)
def classes_in(text: str) -> frozenset[int]:
    """Returns the classes in the map that a text encodes, without `IGNORED`.

    Raises:
        ValueError: The text encodes no map.
    """
    return frozenset(_parsed(text)[2][::2]) - {IGNORED}


def _parsed(text: str) -> tuple[int, int, list[int]]:
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r:.60} encodes no map of classes: it begins like 96x128:0,12,3,40")
    height, width = int(found[1]), int(found[2])
    runs = [int(part) for part in found[3].split(",")]
    # Checked before the map is made: a text of a few bytes can claim any number of pixels.
    if sum(runs[1::2]) != height * width or min(runs[1::2]) < 1 or max(runs[::2]) > IGNORED:
        raise ValueError(f"{text!r:.60} does not have {height}x{width} pixels with classes of 0 to {IGNORED}")
    return height, width, runs
