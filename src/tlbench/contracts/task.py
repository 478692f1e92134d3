"""The task contract: splits of examples, the kind of output to predict, and the metrics that score it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, overload

from tlbench.contracts.errors import DataError
from tlbench.contracts.outputs import Output

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
MOST_ENLARGED_PIXELS = 2**26
"""Largest size, in pixels, that an image may take when its shorter side is enlarged to a model's input.

Image processors enlarge before they crop: a line of 100,000 x 1 pixels is a file of 200 bytes, and becomes one of
25,600,000 x 256.
"""
_ENLARGED_SIDE = 256
Adjustment = Literal["depth", "orientation", "alpha"]
"""What opening an image may do besides decoding: scale 16 bits to 8, turn it as its EXIF says, lay it on white."""
# Pillow's names of the ways to undo each orientation of the EXIF standard.
_UPRIGHT = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270", 7: "TRANSVERSE",
    8: "ROTATE_90",
}  # fmt: skip
_ORIENTATION = 0x0112
"""Number of the orientation among the tags of EXIF."""


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
    """What opening it does besides decoding, as `read` finds out; part of the fingerprint of the data."""

    @classmethod
    def read(cls, path: Path, digest: str) -> ImageFile:
        """Returns the file after decoding it once, with the adjustments that opening it makes; raises as `open`."""
        return cls(path, digest, cls(path, digest)._decoded()[1])

    def open(self) -> Image:
        """Returns the decoded image in RGB, as a viewer shows it on a white page.

        The orientation in its EXIF is applied, transparent parts are white, and 16 bits a channel are scaled to 8.

        Raises:
            DataError: The file is missing, is not a readable image, has too many pixels, or pixels of unknown range.
        """
        return self._decoded()[0]

    def _decoded(self) -> tuple[Image, tuple[Adjustment, ...]]:
        from PIL import Image, UnidentifiedImageError

        try:
            # Opening reads the header alone, so an image that claims too many pixels is refused before it is decoded.
            with Image.open(self.path, formats=tuple(FORMATS)) as image:
                width, height = image.size
                if width * height > MOST_PIXELS:
                    raise DataError(f"{width} x {height} pixels, but the limit is {MOST_PIXELS}; scale the image down")
                check_enlarged(image)
                return _as_shown(image)
        except MemoryError:
            # Not the file's fault: the fit is recorded as out of memory.
            raise
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from error
        except UnidentifiedImageError as error:
            raise DataError(f"{self.path}: not an image that can be read ({', '.join(FORMATS)})") from error
        except Exception as error:
            # For a damaged file Pillow raises almost any exception: SyntaxError and TypeError have been seen.
            raise DataError(f"{self.path}: not an image that can be read: {' '.join(str(error).split())}") from error


def rgb(item: Image | ImageFile) -> Image:
    """Returns the image of an example in RGB, from memory or from its file; raises as `ImageFile.open`."""
    return item.open() if isinstance(item, ImageFile) else _as_shown(item)[0]


def check_enlarged(image: Image, side: int = _ENLARGED_SIDE) -> None:
    """Refuses an image that would be too large once its shorter side is enlarged to `side` pixels.

    Raises:
        DataError: It would have more than `MOST_ENLARGED_PIXELS`.
    """
    short, long = sorted(image.size)
    if side * side * long > MOST_ENLARGED_PIXELS * max(short, 1):
        raise DataError(
            f"{image.width} x {image.height} pixels: a model that enlarges the shorter side to {side} would make more "
            f"than {MOST_ENLARGED_PIXELS} of it; crop the image"
        )


def _as_shown(image: Image) -> tuple[Image, tuple[Adjustment, ...]]:
    """Returns the image in RGB as a viewer shows it on a white page, and what that took besides decoding."""
    from PIL import Image

    image.load()
    adjusted: list[Adjustment] = []
    upright = _UPRIGHT.get(_orientation(image))
    # Of these formats an image of mode I has 16 bits; in others its range is unknown.
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
        # An opaque image stays what it is without its alpha.
        if layer.getchannel("A").getextrema() != (255, 255):
            image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
            adjusted.append("alpha")
    return image.convert("RGB"), tuple(adjusted)


def _of_8_bits(image: Image) -> Image:
    import numpy as np
    from PIL import Image

    values = np.asarray(image)
    # The high byte: right whether 8 bits became 16 by a factor of 256 or of 257.
    pixels = (values >> 8).astype(np.uint8)
    pixels[values == image.info.get("transparency", -1)] = 255
    return Image.fromarray(pixels)


def _orientation(image: Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        # EXIF in disorder spoils no picture; Pillow raises almost any exception for it.
        return 1


SplitName = Literal["train", "validation", "unlabeled", "test"]
Modality = Literal["text", "image"]


# With slots, since a task may have a million of them in memory.
@dataclass(frozen=True, slots=True)
class Example:
    """One example: its inputs, its target, and the slices that it belongs to.

    Example("dev-17", ("A warm, funny film.",), target=1, slices={"length": "short"})
    """

    id: str
    """Identifier of the example, unique within its task."""
    inputs: tuple[Any, ...]
    """One text, or a pair of texts; a tuple of words for `TokenClasses`; a question and its context for `Span`; or one
    image. Texts and words are `str`, images are `PIL.Image.Image` or `ImageFile`."""
    target: Any = None
    """The label in the form of the task's output: an index for `Classes`, a float for `Scalar`; None if unlabelled."""
    slices: Mapping[str, str] = field(default_factory=dict)
    """The slices of the example as values by column, such as `{"phenomenon": "agreement"}`; the columns are listed in
    `Task.slices`."""


class Examples(Sequence[Example]):
    """An immutable sequence of examples with a fingerprint of their content."""

    def __init__(self, rows: Iterable[Example]) -> None:
        self._rows = tuple(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Example]:
        return iter(self._rows)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> Examples: ...
    def __getitem__(self, index: int | slice) -> Example | Examples:
        return Examples(self._rows[index]) if isinstance(index, slice) else self._rows[index]

    def take(self, indices: Iterable[int]) -> Examples:
        """Returns the examples at these indices, in the order given."""
        return Examples(self._rows[i] for i in indices)

    def without_targets(self) -> Examples:
        """Returns the same examples with their targets set to None."""
        return Examples(replace(row, target=None) for row in self._rows)

    @cached_property
    def fingerprint(self) -> str:
        """A digest of ids, inputs, targets and slices in sixteen hex digits; equal for equal examples."""
        digest = hashlib.sha256()
        for row in self._rows:
            inputs = [item if isinstance(item, str | tuple | list) else _image_digest(item) for item in row.inputs]
            line = [row.id, inputs, row.target, dict(sorted(row.slices.items()))]
            # default=str: a target may be of any type that a plugin's own kind of output accepts.
            digest.update(json.dumps(line, ensure_ascii=False, default=str).encode())
            digest.update(b"\n")
        return digest.hexdigest()[:16]


class Task:
    """Base class of tasks: set the attributes below and implement `split`.

        class Parity(Task):
            name, modality, metrics = "parity", "text", ("accuracy",)
            output = Classes(("even", "odd"))

            def split(self, name):
                ranges = {"train": range(100), "test": range(100, 200)}
                if name not in ranges:
                    return None
                return Examples(Example(str(n), (f"the number {n}",), n % 2) for n in ranges[name])

    A subclass that is a frozen dataclass has parameters: its fields can be set in a name, as in `parity[digits=3]`.
    `tlbench show` lists them, with a line of help for a `field(default=3, metadata={"help": "number of digits"})`.

    Almost every command creates all tasks, so creating one must be fast and must not import torch; data is read or
    generated in `split`. Test a task with `tlbench.testing.conformance.TaskConformance`.
    """

    # Not ClassVars: one class may serve several tasks and have these as fields of its dataclass.
    name: str
    """Name of the task in suites and on the command line, in kebab-case."""
    modality: Modality
    output: Output
    """The kind of output to predict, with the names of its classes if it has classes."""
    metrics: tuple[str, ...]
    """Names from `tlbench.METRICS` or of a plugin's metrics; the first is the primary metric."""
    slices: tuple[str, ...] = ()
    """Columns by which scores are broken down, such as "phenomenon"."""
    positive: int = 1
    """Index of the positive class, for binary F1."""
    version: ClassVar[int] = 1
    """Version of the task; part of cell ids. Increase it when results change because of other examples, splits or
    preprocessing."""
    description: str = ""
    """One line for `tlbench list` and `tlbench show`."""
    source: str = ""
    """The paper or web page of the data."""
    licence: str = ""
    sizes: ClassVar[Mapping[str, int]] = MappingProxyType({})
    """Published number of examples of each split, by name of the split; a task that reads files checks it."""

    def split(self, name: SplitName) -> Examples | None:
        """Returns the examples of a split, or None if the task has no such split.

        Called in a worker, and again in every worker that needs the split: it must return equal examples every time.
        `train` and `test` are required. Without `validation`, 20% of `train` (at most 2,000 examples) are held out by a
        fixed seed. `test` is requested only after the winner of the search is frozen on disk.

        Raises:
            DataError: A file that cannot be read; the message has file and row.
        """
        raise NotImplementedError

    def missing(self) -> str | None:
        """Returns a message that says which data is missing on this machine and how to get it; None if none is missing.

        A plan skips the task with this text as the reason. The method is called for every task that is listed or
        planned, so it should only check that files exist, without reading them.
        """
        return None

    def fetch(self) -> None:
        """Downloads the data that is missing, so that later runs work offline; called by `tlbench fetch`.

        Files that are already on this machine must be left unchanged.

        Raises:
            UsageError: The data cannot be downloaded; the message says where to get it.
        """


def _image_digest(image: Any) -> str:
    if isinstance(image, ImageFile):
        # The adjustments count: what was kept for the same file opened otherwise must not be read for it.
        return "+".join((image.digest, *image.adjusted))
    shown, adjusted = _as_shown(image)
    image = shown if adjusted else image
    # Mode and size count too: the same bytes are another image at another width.
    return f"{image.mode}{image.size}{hashlib.sha256(image.tobytes()).hexdigest()}"
