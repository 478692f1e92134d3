"""What all forms of annotations are read into: images with boxes or maps of classes, and the names of the classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from tlbench_data.split_names import NAMES

from tlbench import DataError
from tlbench_dense.sources.annotation_checks import check_names, shown

if TYPE_CHECKING:
    import numpy as np

Draw: TypeAlias = "Callable[[int, int], np.ndarray]"
"""Returns the map of classes (H, W) uint8 of an image of this width and height; raises `DataError`."""
Wanted = Literal["boxes", "masks"]
WHOLE = "all"
"""Key of the images of a data set that is not split."""
GROUND = "background"
"""Name of the class of pixels without an object, where annotations are of objects."""
MOST_BYTES = 2**30
"""Largest file of annotations that is read."""


@dataclass(frozen=True)
class FoundBox:
    """A box as it was annotated."""

    where: str
    """What it is in its file, such as "annotation 17", for messages."""
    name: str
    left: float
    top: float
    right: float
    bottom: float
    crowd: bool = False
    advice: str = ""
    """What a fault of it may come from, for messages."""


@dataclass(frozen=True)
class AnnotatedImage:
    """An image with its annotation."""

    id: str
    image: Path
    source: Path
    """The file of the annotation, for messages."""
    boxes: tuple[FoundBox, ...] = ()
    draw: Draw | None = None
    """Draws the map of classes; None where boxes are wanted."""
    relative: bool = False
    """Whether the sides of boxes are shares of the image's width and height."""
    declared: tuple[float | None, float | None] = (None, None)
    """Width and height of the image as the annotation has them; None where it has none."""


@dataclass(frozen=True)
class Annotations:
    """A data set: the classes in index order, and the images of each split, or of `WHOLE`."""

    classes: tuple[str, ...]
    splits: Mapping[str, Sequence[AnnotatedImage]]


def inside(folder: Path, name: str, where: str) -> Path:
    """Returns the path of a file named in annotations.

    Raises:
        DataError: The name leads out of the folder, also through a link, or no file can have it.
    """
    path, is_inside = folder / name, False
    try:
        is_inside = path.resolve().is_relative_to(folder.resolve())
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise DataError(f"{where}: {shown(name)} cannot be read: {error.strerror}") from None
    except (ValueError, RuntimeError):
        # NUL, an unpaired surrogate, or links in a circle.
        raise DataError(f"{where}: {shown(name)} is no name that a file can have") from None
    if not is_inside:
        raise DataError(f"{where}: {shown(name)} lies outside of {folder}")
    return path


def text_of(path: Path) -> str:
    """Returns the text of a file of annotations.

    Raises:
        DataError: It cannot be read, is too large or not UTF-8.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path}: the file is larger than 1 GiB")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from error


def number_of(value: object, where: str) -> float:
    """Returns a value as a number.

    Raises:
        DataError: It is none; the message begins with `where`.
    """
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise TypeError
        return float(value)
    except (TypeError, ValueError):
        raise DataError(f"{where}: {shown(value)} is not a number") from None
    except OverflowError:
        raise DataError(f"{where}: {shown(value)} is larger than any number that is read") from None


def size_number(value: object, where: str) -> float | None:
    """Returns a declared width or height; None if it is absent or 0, which some tools write for an unknown one.

    Raises:
        DataError: It is no number; the message begins with `where`.
    """
    return None if value is None else number_of(value, where) or None


def split_in(words: Iterable[str]) -> str | None:
    """Returns the split that one of the words means or begins with, such as "train" for "train2017"; None if none."""
    for word in words:
        plain = word.lower().rstrip("0123456789")
        for split, usual in NAMES.items():
            if plain in usual:
                return split
    return None


def listed_names(folder: Path, given: str) -> tuple[str, ...]:
    """Returns the declared names of classes: those of the option, or the lines of `classes.txt` in the folder.

    Raises:
        DataError: A name is empty or occurs twice.
    """
    file = folder / "classes.txt"
    if given:
        names = tuple(part.strip() for part in given.split("+"))
        check_names(names, f"{folder}: names={shown(given)[1:-1]}")
    else:
        names = tuple(line.strip() for line in text_of(file).splitlines() if line.strip()) if file.is_file() else ()
        check_names(names, f"{file}")
    return names
