"""Caches on disk which images of a data set can be decoded, so that later commands and workers need not check."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias, get_args

from tlbench.contracts.images.opening import Adjustment
from tlbench.contracts.untrusted.settings_files import read_json
from tlbench_data.own.archives import cache_folder

Checked: TypeAlias = "Mapping[str, tuple[Adjustment, ...]]"
"""Maps the digest of an image's content to the adjustments that are made when it is opened."""
MIN_IMAGES = 200
"""Checks of fewer images than this are not cached, because decoding them is fast."""
_VERSION = 1
"""To be increased when the rules for opening images change; cache files of older versions are then ignored."""


def recall(pin: str) -> dict[str, tuple[Adjustment, ...]]:
    """Returns the stored checks of a data set's images, by the data set's digest; empty if the file is unreadable."""
    try:
        content = read_json(_file(pin))
        names: dict[str, Adjustment] = {name: name for name in get_args(Adjustment)}
        return {digest: tuple(names[name] for name in adjusted) for digest, adjusted in content.items()}
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        # No such file, or a damaged one: the images are decoded.
        return {}


def remember(pin: str, checked: Checked) -> None:
    """Writes the checks of a data set's images to the cache; does nothing if the cache cannot be written."""
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

    # Keyed by Pillow's version too, since releases differ in the images that they can read.
    return cache_folder() / "checked-images" / f"{pin}-{_VERSION}-{PIL.__version__}.json"
