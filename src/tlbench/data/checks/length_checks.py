"""Checks of the sizes of inputs: words in texts, texts that a backbone cuts, and pixels of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tlbench.contracts.images.image_file import FORMATS, ImageFile
from tlbench.contracts.task import Example
from tlbench.data.checks.check_finding import CheckedData, Finding, counted, first_ids

CUT_SHARE = 0.01
"""Cut texts are a warning if they are at least this share of a split, and a note otherwise."""
MOST_IMAGES = 1000
"""Maximum number of images whose sizes are read."""


def word_counts(data: CheckedData) -> list[Finding]:
    """Returns a note on the number of words per row, split at white space; an empty list for images."""
    import numpy as np

    rows = (row for examples in data.splits.values() for row in examples)
    counts = np.fromiter((sum(map(_words, row.inputs)) for row in rows if _is_text(row)), np.int64)
    if not len(counts):
        return []
    median, most = np.percentile(counts, [50, 95], method="inverted_cdf").tolist()
    message = (
        f"words per row, split at spaces: {median:,} at the median, at most {most:,} in 95% of the rows,"
        f" {counts.max():,} in the longest"
    )
    return [Finding("words", "note", message, len(counts), (), "-b BACKBONE counts the texts that a backbone cuts")]


def cut_texts(backbone: str, cut: Mapping[str, tuple[Sequence[Example], int]], advice: str = "") -> list[Finding]:
    """Returns a finding if a backbone cuts texts to its maximum length.

    Args:
        backbone: Name of the backbone.
        cut: By split, the rows with a text that is cut and the number of all rows.
        advice: What to do about it, such as which option raises the maximum length.
    """
    splits = {split: (rows, total) for split, (rows, total) in cut.items() if rows}
    if not splits:
        return []
    shares = ", ".join(
        f"{len(rows):,} of {counted(total, f'{split} row')} ({len(rows) / total:.1%})"
        for split, (rows, total) in splits.items()
    )
    is_much = any(len(rows) >= CUT_SHARE * total for rows, total in splits.values())
    every = [row for rows, _ in splits.values() for row in rows]
    message = f"{backbone} reads only the beginning of {shares}"
    return [Finding("cut-text", "warning" if is_much else "note", message, len(every), first_ids(every), advice)]


def image_sizes(data: CheckedData) -> list[Finding]:
    """Returns a note on the sizes of the images, from at most 1,000 of them; an empty list for texts."""
    images = [part for rows in data.splits.values() for row in rows for part in row.inputs if _is_image(part)]
    if not images:
        return []
    step = -(-len(images) // MOST_IMAGES)
    sizes = sorted((_size(image) for image in images[::step]), key=lambda size: (size[0] * size[1], size))
    (width, height), (most_width, most_height) = sizes[0], sizes[-1]
    subject = f"{len(sizes):,} of {len(images):,} images" if step > 1 else "images"
    most = "" if len(set(sizes)) == 1 else f" to {most_width} x {most_height}"
    message = f"{subject}: {'' if most else 'all '}{width} x {height}{most} pixels"
    return [Finding("image-sizes", "note", message, len(sizes))]


def _is_text(row: Example) -> bool:
    return isinstance(row.inputs[0], str | tuple | list)


def _words(part: Any) -> int:
    return len(part.split()) if isinstance(part, str) else len(part)


def _is_image(part: Any) -> bool:
    return isinstance(part, ImageFile) or hasattr(part, "size")


def _size(image: Any) -> tuple[int, int]:
    if not isinstance(image, ImageFile):
        width, height = image.size
        return width, height
    from PIL import Image

    # The header alone is read.
    with Image.open(image.path, formats=tuple(FORMATS)) as opened:
        return opened.size
