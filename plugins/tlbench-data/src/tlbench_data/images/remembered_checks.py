"""Remembers on disk which images of a data set can be decoded, so that later commands and workers need not try."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias, get_args

from tlbench.contracts.images.opening import Adjustment
from tlbench_data.own.archives import cache_folder

Checked: TypeAlias = "Mapping[str, tuple[Adjustment, ...]]"
"""Digest of an image's content to the adjustments that opening it makes."""
MIN_IMAGES = 200
"""Decoding fewer images than this takes no time worth a file."""
_VERSION = 1
"""Increase it when images are opened by other rules; files of an older version are then ignored."""


def recall(pin: str) -> dict[str, tuple[Adjustment, ...]]:
    """Returns the stored checks of a data set's images, by the data set's digest; empty if the file is unreadable."""
    try:
        content = json.loads(_file(pin).read_text(encoding="utf-8"))
        names: dict[str, Adjustment] = {name: name for name in get_args(Adjustment)}
        return {digest: tuple(names[name] for name in adjusted) for digest, adjusted in content.items()}
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        # No such file, or a damaged one: the images are decoded.
        return {}


def remember(pin: str, checked: Checked) -> None:
    """Writes what is known of the images of a data set; does nothing where that is not possible."""
    file = _file(pin)
    draft = file.with_name(f".draft-{uuid.uuid4().hex}")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_text(json.dumps(checked), encoding="utf-8")
            os.replace(draft, file)
        finally:
            draft.unlink(missing_ok=True)


def _file(pin: str) -> Path:
    import PIL

    # Another release of Pillow may read what this one does not, and the other way round.
    return cache_folder() / "checked-images" / f"{pin}-{_VERSION}-{PIL.__version__}.json"
