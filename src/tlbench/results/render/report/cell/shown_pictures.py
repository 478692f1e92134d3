"""Pictures of test examples as addresses that a page holds in itself."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import NamedTuple

from tlbench.results.pictures.stored_pictures import stored_pictures
from tlbench.results.render.escaping import printable

_MOST_CHARACTERS = 80


class ShownPicture(NamedTuple):
    """A picture with the id of its example."""

    example: str
    address: str
    """A `data:` address with the whole picture."""


def shown_pictures(path: Path | None) -> list[ShownPicture]:
    """Returns the pictures in a file of predictions; none if there is no file."""
    return [
        ShownPicture(
            printable(one.example, _MOST_CHARACTERS), f"data:image/{one.form};base64,{b64encode(one.content).decode()}"
        )
        for one in stored_pictures(path)
    ]
