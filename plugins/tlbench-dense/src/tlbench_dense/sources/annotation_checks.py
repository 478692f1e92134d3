"""Checks of what all forms of annotations have in common: names of classes, and names of images."""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tlbench_data.readers.rows import unpaired_surrogate

from tlbench import DataError

if TYPE_CHECKING:
    from tlbench_dense.sources.annotated_images import AnnotatedImage

_LONGEST = 200
"""Characters of the longest name of a class."""
_SHOWN = 60
"""Characters of a value in a message."""


def shown(value: object) -> str:
    """Returns a value of any kind and size in at most some 60 characters, for messages."""
    text = repr(value[:_SHOWN]) if isinstance(value, str) else reprlib.repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def check_names(names: Sequence[str], where: str) -> None:
    """Checks names of classes.

    Raises:
        DataError: A name is empty, too long, cannot be written as UTF-8 or occurs twice; the message begins with
            `where`.
    """
    for number, name in enumerate(names):
        title = f"the name of class {number}" if len(names) > 1 else "its name"
        if not name.strip():
            raise DataError(f"{where}: {title} is empty")
        if surrogate := unpaired_surrogate(name):
            raise DataError(f"{where}: the class {shown(name)} contains an unpaired surrogate ({surrogate})")
        if len(name) > _LONGEST:
            raise DataError(f"{where}: {title} has {len(name):,} characters: {shown(name)}")
    if double := next((name for name, count in Counter(names).items() if count > 1), None):
        raise DataError(f"{where}: the class {shown(double)} is named twice")


def check_identities(images: Sequence[AnnotatedImage], split: str) -> None:
    """Checks that images of a split can be told apart by their names.

    Raises:
        DataError: Two images have one name, or a name cannot be written as UTF-8; the message names the files.
    """
    seen: dict[str, AnnotatedImage] = {}
    for image in images:
        if surrogate := unpaired_surrogate(image.id):
            raise DataError(f"{image.source}: image {shown(image.id)} contains an unpaired surrogate ({surrogate})")
        other = seen.setdefault(image.id, image)
        if other is image:
            continue
        if other.image == image.image:
            raise DataError(f"{image.source}: image {shown(image.id)} is listed twice for {split}")
        raise DataError(
            f"{image.source}: two images have the name {shown(image.id)}: {other.image} and"
            f" {image.image}; rename or remove one"
        )
