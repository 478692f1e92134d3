"""An image that stays on disk until it is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from tlbench.contracts.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "BMP": (".bmp",),
        "GIF": (".gif",),
        "JPEG": (".jpeg", ".jpg"),
        "PNG": (".png",),
        "PPM": (".pgm", ".ppm"),
        "TIFF": (".tif", ".tiff"),
        "WEBP": (".webp",),
    }
)
"""The formats that are read, whatever a file is called, to the usual endings of their names.

Pillow knows more, and goes by content: some run programs on what they read, as Ghostscript for PostScript.
"""
MOST_PIXELS = 2**26
"""An image of more pixels (8192 x 8192) is not read: a file of a few bytes may stand for any number of them."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image file; two are equal if their contents are."""

    suffixes: ClassVar[frozenset[str]] = frozenset(suffix for each in FORMATS.values() for suffix in each)
    """What the names of images end with, in lower case."""

    path: Path = field(compare=False)
    digest: str
    """Names the content of the file: sixteen hex digits of its sha256."""

    def open(self) -> Image:
        """Returns the image, read and in RGB.

        Raises:
            DataError: The file is gone, is no image that can be read, or is one of too many pixels.
        """
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(self.path, formats=tuple(FORMATS)) as image:
                width, height = image.size
                if width * height <= MOST_PIXELS:
                    return image.convert("RGB")
        except MemoryError:
            raise
        except UnidentifiedImageError as error:
            raise DataError(f"{self.path}: not an image that can be read ({', '.join(FORMATS)})") from error
        except Exception as error:
            # For a ruined file Pillow's readers raise nearly any kind: SyntaxError and TypeError have been seen.
            raise DataError(f"{self.path}: not an image that can be read: {' '.join(str(error).split())}") from error
        raise DataError(f"{self.path}: {width} x {height} pixels, more than the {MOST_PIXELS} that are read; shrink it")


def rgb(item: Image | ImageFile) -> Image:
    """Returns an example's image in RGB, wherever it is; raises as `ImageFile.open`."""
    return item.open() if isinstance(item, ImageFile) else item.convert("RGB")
