"""Pictures of an image with its target and with a prediction, side by side."""

from __future__ import annotations

import colorsys
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tlbench.contracts.images.image_file import rgb
from tlbench_dense.standalone.box_texts import numbers_in
from tlbench_dense.standalone.class_runs import IGNORED, decoded

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 192
"""Longer side of each of the parts, in pixels."""
_GAP = 6
_QUALITY = 80
_TINT = 0.6
"""Weight of the colour of a class over the image."""
_SHOWN = 0.3
"""Lowest score of a predicted box that is drawn, relative to the highest in its image."""


def map_picture(item: Any, target: str, prediction: str) -> bytes:
    """Returns the image, its map of classes and the predicted one, as JPEG; ignored pixels are white."""
    image = rgb(item)
    parts = [image]
    for text in (target, prediction):
        classes = decoded(text) if text else np.zeros((image.height, image.width), dtype=np.uint8)
        parts.append(_tinted(image, classes))
    return _side_by_side([_resized(part) for part in parts])


def box_picture(item: Any, target: str, prediction: str, names: Sequence[str]) -> bytes:
    """Returns the image with its boxes and with the predicted ones, as JPEG; crowds and low scores are left out."""
    image = rgb(item)
    truth, found = numbers_in(target), numbers_in(prediction)
    found = found[found[:, 5] >= _SHOWN * found[:, 5].max(initial=0)]
    return _side_by_side([_framed(image, truth[truth[:, 5] == 0], names), _framed(image, found, names)])


def _tinted(image: Image, classes: np.ndarray) -> Image:
    from PIL import Image as Images

    colours = np.array([_colour(index) for index in range(IGNORED)] + [(255, 255, 255)])
    # Class 0, which is the background in most data, is left as it is.
    weight = np.where(classes == 0, 0.0, _TINT)[..., None]
    mixed = (1 - weight) * np.asarray(image) + weight * colours[classes]
    return Images.fromarray(mixed.round().astype(np.uint8))


def _framed(image: Image, boxes: np.ndarray, names: Sequence[str]) -> Image:
    from PIL import ImageDraw

    shown = _resized(image)
    scale = shown.width / image.width
    draw = ImageDraw.Draw(shown)
    for label, *corners in boxes[:, :5].tolist():
        index = int(label)
        left, top, right, bottom = (scale * side for side in corners)
        draw.rectangle((left, top, max(left, right), max(top, bottom)), outline=_colour(index + 1), width=2)
        name = names[index] if index < len(names) else str(index)
        # The font that Pillow carries has no letters beyond Latin-1.
        draw.text(
            (left + 3, top + 1), name.encode("latin-1", "replace").decode("latin-1")[:12], fill=_colour(index + 1)
        )
    return shown


def _resized(image: Image) -> Image:
    from PIL import Image as Images

    scale = SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Images.Resampling.NEAREST if scale > 1 else Images.Resampling.BOX)


def _side_by_side(parts: Sequence[Image]) -> bytes:
    from PIL import Image as Images

    width = sum(part.width for part in parts) + _GAP * (len(parts) - 1)
    joined = Images.new("RGB", (width, max(part.height for part in parts)), "white")
    left = 0
    for part in parts:
        joined.paste(part, (left, 0))
        left += part.width + _GAP
    file = io.BytesIO()
    # JPEG, since photographs and noise take ten times as many bytes as PNG.
    joined.save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return file.getvalue()


def _colour(index: int) -> tuple[int, int, int]:
    """Returns a colour of a class, far from those of the classes beside it."""
    # Steps of the golden ratio around the circle of hues.
    red, green, blue = colorsys.hsv_to_rgb((0.618034 * index) % 1.0, 0.85, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)
