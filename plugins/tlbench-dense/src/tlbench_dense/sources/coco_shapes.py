"""Draws COCO's segmentations, polygons and run lengths, after checking what pycocotools would trust."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlbench_dense.sources.annotation_checks import shown

if TYPE_CHECKING:
    import numpy as np

_FARTHEST = 10
"""How far a polygon may reach, in sides of its image: pycocotools takes memory by the length of its edges."""
_MOST_BITS = 60
"""Bits of a run length; without a limit a text takes time by the square of its length."""
_FEWEST = 6
"""Numbers of a polygon: three corners."""


def drawn_shape(shape: Any, width: int, height: int) -> np.ndarray:
    """Returns the pixels (H, W) of a segmentation as 0 and 1.

    Raises:
        ValueError: It is neither polygons nor run lengths of an image of this size.
    """
    from pycocotools import mask

    if isinstance(shape, dict):
        runs = _checked_runs(shape, width, height)
        found = mask.frPyObjects(runs, height, width) if isinstance(runs["counts"], list) else runs
    else:
        found = mask.merge(mask.frPyObjects(_checked_polygons(shape, width, height), height, width))
    part: np.ndarray = mask.decode(found)
    return part


def run_lengths(counts: str) -> list[int]:
    """Returns the run lengths in COCO's compressed text.

    Each is written in groups of five bits, the lowest first, and from the third on as a difference to the one before
    the last.

    Raises:
        ValueError: The text has other characters, a number that is too long, or ends within one.
    """
    lengths: list[int] = []
    value, shift, is_open = 0, 0, False
    for character in counts:
        group = ord(character) - 48
        if not 0 <= group < 64:
            raise ValueError(f"{character!r} in the run lengths")
        if shift > _MOST_BITS:
            raise ValueError(f"a number of more than {_MOST_BITS} bits in the run lengths")
        value |= (group & 0x1F) << shift
        shift, is_open = shift + 5, bool(group & 0x20)
        if is_open:
            continue
        if group & 0x10:
            value |= -1 << shift
        lengths.append(value + lengths[-2] if len(lengths) > 2 else value)
        value, shift = 0, 0
    if is_open:
        raise ValueError("run lengths that end within a number")
    return lengths


def _checked_runs(shape: dict[str, Any], width: int, height: int) -> dict[str, Any]:
    size, counts = shape.get("size"), shape.get("counts")
    if size != [height, width]:
        raise ValueError(f"run lengths of {shown(size)} (height and width) for an image of {width}x{height}")
    lengths = run_lengths(counts) if isinstance(counts, str) else counts
    if not isinstance(lengths, list) or not all(type(length) is int and length >= 0 for length in lengths):
        raise ValueError("run lengths that are not whole numbers from 0")
    if max(lengths, default=0) > width * height:
        raise ValueError(f"a run length of {shown(max(lengths))} pixels for {width * height}")
    # pycocotools leaves pixels beyond the last run as memory happens to be.
    if sum(lengths) != width * height:
        raise ValueError(f"run lengths of {sum(lengths)} pixels for {width * height}")
    return {"size": [height, width], "counts": counts}


def _checked_polygons(shape: Any, width: int, height: int) -> list[list[float]]:
    farthest = _FARTHEST * max(width, height)
    if not isinstance(shape, list) or not shape:
        raise ValueError("neither polygons nor run lengths")
    for polygon in shape:
        if not isinstance(polygon, list) or len(polygon) < _FEWEST or len(polygon) % 2:
            raise ValueError("a polygon that is no list of x and y of three corners or more")
        for number in polygon:
            if isinstance(number, bool) or not isinstance(number, int | float) or number != number:
                raise ValueError(f"{shown(number)} in a polygon is not a number")
            if abs(number) > farthest:
                raise ValueError(f"{shown(number)} in a polygon is far outside of the image of {width}x{height}")
    return shape
