"""The task contract: named splits of examples, an output, and the metrics that score it."""

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


SplitName = Literal["train", "validation", "unlabeled", "test"]
Modality = Literal["text", "image"]


@dataclass(frozen=True, slots=True)
class Example:
    """One example: what is shown, what is asked, and the slices that it belongs to."""

    id: str
    """Unique within its task."""
    inputs: tuple[Any, ...]
    """What the output asks for: one text, or two (a pair); a tuple of words for `TokenClasses`; a question and its
    context for `Span`; or one image. Texts and words are `str`, images `PIL.Image.Image` or `ImageFile`."""
    target: Any = None
    """As the task's output says: an index for `Classes`, a float for `Scalar`, ...; None where unlabelled."""
    slices: Mapping[str, str] = field(default_factory=dict)
    """Column to value, such as `{"phenomenon": "agreement"}`; the columns are the task's `slices`."""


class Examples(Sequence[Example]):
    """An immutable sequence of examples with a fingerprint."""

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
        """Returns the examples at these positions, in this order."""
        return Examples(self._rows[i] for i in indices)

    def without_targets(self) -> Examples:
        """Returns the same examples with their labels removed."""
        return Examples(replace(row, target=None) for row in self._rows)

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits over ids, inputs, targets and slices, equal for equal examples."""
        digest = hashlib.sha256()
        for row in self._rows:
            inputs = [item if isinstance(item, str | tuple | list) else _image_digest(item) for item in row.inputs]
            line = [row.id, inputs, row.target, dict(sorted(row.slices.items()))]
            digest.update(json.dumps(line, ensure_ascii=False, default=str).encode())
            digest.update(b"\n")
        return digest.hexdigest()[:16]


class Task:
    """A task: subclass it as a frozen dataclass, or set the class attributes below.

    A task is torch-free and cheap to make: a split is read or generated when it is asked for.
    """

    name: str
    """In kebab-case; the name that suites and the command line use."""
    modality: Modality
    output: Output
    metrics: tuple[str, ...]
    """Names from `tlbench.METRICS`; the first is primary. Its direction belongs to the metric."""
    slices: tuple[str, ...] = ()
    """Columns that a score can be broken down by, such as "phenomenon"."""
    positive: int = 1
    """For binary F1: the index of the class that counts as found."""
    version: ClassVar[int] = 1
    """Raise it when the results change: a different draw, another split, another preprocessing."""
    description: str = ""
    source: str = ""
    """The paper or page that the data comes from."""
    licence: str = ""
    sizes: ClassVar[Mapping[str, int]] = MappingProxyType({})
    """Split to its published number of examples; whoever reads the split asserts it."""

    def split(self, name: SplitName) -> Examples | None:
        """Returns the examples of a split, or None where the task has no such split.

        `validation` may be None: the runner then carves it out of `train` by a fixed seed.
        The runner asks for `test` once, after the winner of the search is frozen on disk.

        Raises:
            DataError: A file that cannot be used; the message names file and row.
        """
        raise NotImplementedError

    def missing(self) -> str | None:
        """Returns what is not on this machine and how to get it, or None; a plan skips the task with this reason.

        Quick: it looks whether files are there, and reads none.
        """
        return None

    def fetch(self) -> None:
        """Brings what is missing to this machine, so that it can be read offline; what is there is left alone.

        Raises:
            UsageError: It cannot be had.
        """


def _image_digest(image: Any) -> str:
    if isinstance(image, ImageFile):
        return image.digest
    return f"{image.mode}{image.size}{hashlib.sha256(image.tobytes()).hexdigest()}"
