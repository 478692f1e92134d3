"""Turns a decoded image into RGB as a viewer shows it on a white page: upright, with 8 bits a channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tlbench.contracts.errors import DataError

# For the type checker alone: a task of texts needs no Pillow.
if TYPE_CHECKING:
    from PIL.Image import Image

MOST_ENLARGED_PIXELS = 2**26
"""Largest size, in pixels, that an image may take when its shorter side is enlarged to a model's input.

Image processors enlarge before they crop: an image of 100,000 x 1 pixels, in a file of 200 bytes, would become one of
25,600,000 x 256 pixels.
"""
_ENLARGED_SIDE = 256
Adjustment = Literal["depth", "orientation", "alpha"]
"""A change to a decoded image: 16 bits a channel are scaled to 8 ("depth"), the image is rotated or mirrored as its
EXIF says ("orientation"), or transparent parts are made white ("alpha")."""
# Pillow's names of the ways to undo each orientation of the EXIF standard.
_UPRIGHT = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270", 7: "TRANSVERSE",
    8: "ROTATE_90",
}  # fmt: skip
_ORIENTATION = 0x0112
"""Number of the orientation among the tags of EXIF."""


def check_enlarged(image: Image, side: int = _ENLARGED_SIDE) -> None:
    """Refuses an image that would be too large once its shorter side is enlarged to `side` pixels.

    Raises:
        DataError: The enlarged image would have more than `MOST_ENLARGED_PIXELS` pixels.
    """
    short, long = sorted(image.size)
    if side * side * long > MOST_ENLARGED_PIXELS * max(short, 1):
        raise DataError(
            f"{image.width} x {image.height} pixels: a model that enlarges the shorter side to {side} would make more "
            f"than {MOST_ENLARGED_PIXELS} of it; crop the image"
        )


def as_shown(image: Image) -> tuple[Image, tuple[Adjustment, ...]]:
    """Returns the image in RGB as a viewer shows it on a white page, and the adjustments that were made to it.

    Raises:
        DataError: The pixels have 32 bits, whose range is unknown.
    """
    from PIL import Image

    image.load()
    adjusted: list[Adjustment] = []
    upright = _UPRIGHT.get(_orientation(image))
    # In these formats, an image of mode I has 16 bits; in others its range is unknown.
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        image = _of_8_bits(image)
        adjusted.append("depth")
    if image.mode in ("I", "F"):
        raise DataError(f"pixels of 32 bits (mode {image.mode}), whose range is unknown; save it with 8 or 16 bits")
    if upright:
        image = image.transpose(Image.Transpose[upright])
        adjusted.append("orientation")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        # If every pixel is opaque, dropping the alpha channel changes no colour, so it is no adjustment.
        if layer.getchannel("A").getextrema() != (255, 255):
            image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
            adjusted.append("alpha")
    return image.convert("RGB"), tuple(adjusted)


def _of_8_bits(image: Image) -> Image:
    import numpy as np
    from PIL import Image

    values = np.asarray(image)
    # The high byte is the 8-bit value whether 8 bits were scaled to 16 by a factor of 256 or of 257.
    pixels = (values >> 8).astype(np.uint8)
    pixels[values == image.info.get("transparency", -1)] = 255
    return Image.fromarray(pixels)


def _orientation(image: Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        # Invalid EXIF data, for which Pillow raises almost any exception, does not make the image unusable.
        return 1
