"""An image that stays on disk until it is looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.contracts.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image file; two are equal if their contents are."""

    path: Path = field(compare=False)
    digest: str
    """Names the content of the file: sixteen hex digits of its sha256."""

    def open(self) -> Image:
        """Returns the image, read and in RGB.

        Raises:
            DataError: The file is gone, or is no image that can be read.
        """
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(self.path) as image:
                return image.convert("RGB")
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError) as error:
            raise DataError(f"{self.path}: not an image that can be read: {' '.join(str(error).split())}") from error


def rgb(item: Image | ImageFile) -> Image:
    """Returns an example's image in RGB, wherever it is; raises as `ImageFile.open`."""
    return item.open() if isinstance(item, ImageFile) else item.convert("RGB")
