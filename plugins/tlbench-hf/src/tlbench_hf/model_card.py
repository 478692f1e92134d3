"""Reads which data sets a model was trained on from the metadata of its card, a README.md with YAML at its beginning.

The card is untrusted: only the lines of `datasets` are parsed, by a loader that makes plain values alone, and only
names that the hub allows are taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tlbench_hf.sources import MODEL_CARD

_MOST_BYTES = 2**22
"""Number of bytes of a card that are read: metadata of embedding models may hold megabytes of benchmark results."""
_MOST_CHARACTERS = 50_000
"""Number of characters of `datasets` that are parsed: the time to parse YAML grows faster than its length."""
_MOST_NAMES = 200
_NAME = re.compile(r"[\w.-]{1,96}(/[\w.-]{1,96})?")


def datasets_in(folder: Path) -> tuple[str, ...]:
    """Returns the data sets that the card in a model's folder names; empty without a card or if it is unreadable."""
    import yaml

    # On malformed scalars such as `!!bool x` yaml raises KeyError, IndexError and others, not a YAMLError.
    with suppress(Exception):
        with (folder / MODEL_CARD).open("rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8-sig", "replace")
        # Safe, because this loader makes plain values only.
        content = yaml.safe_load("\n".join(_lines_of_datasets(text)))
        named: Any = content.get("datasets") if isinstance(content, dict) else None
        names = [named] if isinstance(named, str) else named if isinstance(named, list) else []
        valid = (name for name in names if isinstance(name, str) and _NAME.fullmatch(name))
        return tuple(dict.fromkeys(valid))[:_MOST_NAMES]
    return ()


def _lines_of_datasets(text: str) -> Iterator[str]:
    """Yields the lines of the key `datasets` in the metadata between the first two lines of three dashes."""
    lines = iter(text.splitlines())
    if next(lines, "").strip() != "---":
        return
    is_inside, size = False, 0
    for line in lines:
        if line.rstrip() == "---":
            return
        # A new key begins in the first column; items of a list may begin there too.
        if line[:1] not in (" ", "-", "#", ""):
            is_inside = line.startswith("datasets:")
        if is_inside:
            size += len(line) + 1
            if size > _MOST_CHARACTERS:
                return
            yield line
