"""Image files: their formats, how they are opened, and the digests that identify images."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from tlbench.contracts.errors import DataError
from tlbench.contracts.images.opening import Adjustment, as_shown, check_enlarged
from tlbench.contracts.untrusted.regular_files import open_regular, reason_of

# For the type checker alone: a task of texts needs no Pillow.
if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "BMP": (".bmp",),
        "GIF": (".gif",),
        "JPEG": (".jfif", ".jpeg", ".jpg"),
        "PNG": (".png",),
        "PPM": (".pgm", ".ppm"),
        "TIFF": (".tif", ".tiff"),
        "WEBP": (".webp",),
    }
)
"""Image formats that are read, each with its usual file name suffixes.

Pillow detects a format by the content of the file and ignores its suffix. It also supports other formats, and for some
of them it starts another program, such as Ghostscript for PostScript. Therefore only the formats listed here are read.
"""
MOST_PIXELS = 2**26
"""Maximum number of pixels of an image that is decoded (8192 x 8192). A limit is needed because a file of a few bytes
can claim any number of pixels."""
MOST_BYTES = 2**30
"""Maximum size of an image file in bytes."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image file, which is decoded when it is opened. Two objects are equal if their files have equal contents."""

    suffixes: ClassVar[frozenset[str]] = frozenset(suffix for each in FORMATS.values() for suffix in each)
    """The usual suffixes of image file names, in lower case, such as ".png"."""

    # The same images in another folder must give the same fingerprint of the data, so the path is not compared.
    path: Path = field(compare=False)
    digest: str
    """The first sixteen hex digits of the sha256 of the file's content."""
    adjusted: tuple[Adjustment, ...] = ()
    """The changes that `open` makes to the decoded image, as determined by `read`; part of the data's fingerprint."""

    @classmethod
    def read(cls, path: Path, digest: str) -> ImageFile:
        """Returns the file with its `adjusted` set, for which the image is decoded once; raises as `open` does."""
        return cls(path, digest, cls(path, digest)._decoded()[1])

    def open(self) -> Image:
        """Returns the decoded image in RGB, as a viewer shows it on a white page.

        The orientation in its EXIF is applied, transparent parts are white, and 16 bits a channel are scaled to 8.

        Raises:
            DataError: The file is missing, is not a readable image, has too many pixels, or pixels of unknown range.
        """
        return self._decoded()[0]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as `open` gives them, from the file's header unless its EXIF turns the image.

        Raises:
            DataError: The file is missing or is not a readable image.
        """
        from PIL import Image

        if "orientation" in self.adjusted:
            return self.open().size
        try:
            with Image.open(self.path, formats=tuple(FORMATS)) as image:
                return image.size
        except Exception as error:
            raise DataError(f"{self.path}: not an image that can be read: {' '.join(str(error).split())}") from error

    def _decoded(self) -> tuple[Image, tuple[Adjustment, ...]]:
        from PIL import Image, UnidentifiedImageError

        try:
            # Opening reads the header alone, so an image that claims too many pixels is refused before it is decoded.
            with (
                open_regular(self.path, MOST_BYTES, links="followed") as file,
                Image.open(file, formats=tuple(FORMATS)) as image,
            ):
                width, height = image.size
                if width * height > MOST_PIXELS:
                    raise DataError(f"{width} x {height} pixels, but the limit is {MOST_PIXELS}; scale the image down")
                check_enlarged(image)
                return as_shown(image)
        except MemoryError:
            # Not the file's fault: the fit is recorded as out of memory.
            raise
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from error
        except OSError as error:
            if isinstance(error, UnidentifiedImageError):
                raise DataError(f"{self.path}: not an image that can be read ({', '.join(FORMATS)})") from error
            raise DataError(f"{self.path}: not an image that can be read: {reason_of(error)}") from error
        except Exception as error:
            # For a damaged file Pillow raises almost any exception: SyntaxError and TypeError have been seen.
            raise DataError(f"{self.path}: not an image that can be read: {' '.join(str(error).split())}") from error


def rgb(item: Image | ImageFile) -> Image:
    """Returns the image of an example in RGB, from memory or from its file; raises as `ImageFile.open` does."""
    return item.open() if isinstance(item, ImageFile) else as_shown(item)[0]


def image_digest(image: Image | ImageFile) -> str:
    """Returns a digest of an image of an example, from memory or from its file, for fingerprints of the data."""
    if isinstance(image, ImageFile):
        # With the adjustments, so that nothing cached for the same file under other adjustments is reused.
        return "+".join((image.digest, *image.adjusted))
    shown, adjusted = as_shown(image)
    image = shown if adjusted else image
    # Mode and size count too: the same bytes are another image at another width.
    return f"{image.mode}{image.size}{hashlib.sha256(image.tobytes()).hexdigest()}"
