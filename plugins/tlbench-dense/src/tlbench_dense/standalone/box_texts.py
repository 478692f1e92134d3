"""Boxes of objects, as tuples of Python and as JSON texts."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

MOST_BOXES = 100
"""Largest number of predicted boxes of an image that are kept, as in COCO's evaluation."""
DECIMALS = 2
"""Decimals of a pixel that texts keep."""
BATCH = 16
"""Images that a detector reads at once."""
_LARGEST = sys.float_info.max
COLUMNS = 6
"""Numbers of a box in a text: class, left, top, right, bottom, and its score or, in a target, 1 for a crowd."""


class Box(NamedTuple):
    """An object in an image, in pixels from the left and the top edge."""

    label: int
    """Index of its class."""
    left: float
    top: float
    right: float
    bottom: float
    crowd: bool = False
    """Whether it surrounds a group of objects: it is not trained on, and predictions in it are not counted."""

    @property
    def fault(self) -> str:
        """Why this is no box; empty if it is one."""
        numbers = (self.left, self.top, self.right, self.bottom)
        # Compared and not `math.isfinite`, which raises OverflowError for whole numbers beyond any float.
        if not all(isinstance(number, int | float) and abs(number) <= _LARGEST for number in numbers):
            shown = ", ".join(f"{number!r:.20}" for number in numbers)
            return f"the box ({shown}) has a side that is not a finite number"
        corners = f"the box from ({self.left:g}, {self.top:g}) to ({self.right:g}, {self.bottom:g})"
        if self.right <= self.left or self.bottom <= self.top:
            return f"{corners} has no area"
        left, top, right, bottom = (round(number, DECIMALS) for number in numbers)
        if right <= left or bottom <= top:
            return f"{corners} has no area once its sides are rounded to {DECIMALS} decimals"
        return ""


def target_text(boxes: Iterable[Box]) -> str:
    """Returns the boxes of an image as a text."""
    rows = [[int(b.label), *(round(float(x), DECIMALS) for x in b[1:5]), int(b.crowd)] for b in boxes]
    return json.dumps(rows, separators=(",", ":"))


def prediction_text(boxes: np.ndarray) -> str:
    """Returns predicted boxes (n, 6), with class, corners and score, as a text: at most `MOST_BOXES`, best first."""
    import numpy as np

    order = np.argsort(-boxes[:, 5], kind="stable")[:MOST_BOXES]
    rows = [[int(row[0]), *(round(x, DECIMALS) for x in row[1:5]), round(row[5], 6)] for row in boxes[order].tolist()]
    return json.dumps(rows, separators=(",", ":"))


def named_prediction(
    boxes: np.ndarray, size: Sequence[int], image: tuple[int, int], names: Sequence[str]
) -> dict[str, Any]:
    """Returns predicted boxes as {"text", "found"}: as they are stored, and with the names of their classes.

    Args:
        boxes: (n, 6): class, corners in pixels of the input, and score.
        size: Height and width of the input.
        image: Width and height of the image.
        names: The names of the classes.
    """
    import numpy as np

    across, down = size[1] / image[0], size[0] / image[1]
    real = boxes.astype(np.float64)
    real[:, 1:5] /= [across, down, across, down]
    text = prediction_text(real)
    found = [{"label": names[row[0]], "score": row[5], "box": row[1:5]} for row in json.loads(text)]
    return {"text": text, "found": found}


def named_predictions(
    rows: Sequence[Sequence[Any]],
    found: Callable[[Sequence[Sequence[Any]]], Iterable[np.ndarray]],
    size: Sequence[int],
    names: Sequence[str],
) -> list[dict[str, Any]]:
    """Returns a prediction for each row of one image, in batches.

    Args:
        rows: Rows of one image.
        found: Returns the boxes (n, 6) of each row of a batch.
        size: Height and width of the input.
        names: The names of the classes.
    """
    predictions = []
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        for row, boxes in zip(part, found(part), strict=True):
            predictions.append(named_prediction(boxes, size, row[0].size, names))
    return predictions


def numbers_in(text: str) -> np.ndarray:
    """Returns the rows of a text, (n, 6) float64; an empty text has none.

    Raises:
        ValueError: The text encodes no boxes.
    """
    import numpy as np

    if not text:
        return np.empty((0, COLUMNS))
    try:
        rows: Any = json.loads(text)
    except RecursionError as error:
        raise ValueError(f"{text!r:.60} encodes no boxes") from error
    if not isinstance(rows, list) or not all(map(_is_row, rows)):
        raise ValueError(f"{text!r:.60} encodes no boxes: it is a list of lists of {COLUMNS} numbers")
    return np.asarray(rows, dtype=np.float64).reshape(-1, COLUMNS)


def _is_row(row: Sequence[Any]) -> bool:
    if not isinstance(row, list) or len(row) != COLUMNS:
        return False
    return all(isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x) for x in row)
