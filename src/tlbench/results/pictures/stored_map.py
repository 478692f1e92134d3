"""A map of a cell's test examples in two dimensions, kept beside the records: `maps/<cell>.<attempt>.json`."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec

from tlbench.contracts.untrusted.regular_files import read_regular_file
from tlbench.system.durable import write_durably

MOST_EXAMPLES = 500
FOLDER = "maps"
_LARGEST_BYTES = 2**20


class FeatureMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first two principal components of the features of test examples."""

    seed: int
    """Seed of the final fit whose encoder made the features."""
    examples: tuple[str, ...]
    """Ids of the test examples."""
    x: tuple[float, ...]
    y: tuple[float, ...]
    """The components, scaled so that the largest one is 1."""
    explained: tuple[float, float]
    """The share of the variance along each component."""


def map_path(predictions: Path) -> Path:
    """Returns the file of a cell's map, given that of its test predictions."""
    return predictions.parent.parent / FOLDER / f"{predictions.stem}.json"


def write_map(predictions: Path, found: FeatureMap) -> Path:
    """Stores a map and returns its file.

    Raises:
        OSError: The file cannot be written.
    """
    path = map_path(predictions)
    path.parent.mkdir(exist_ok=True)
    write_durably(path, msgspec.json.encode(found))
    return path


def read_map(predictions: Path) -> FeatureMap | None:
    """Returns the stored map of a cell; None if there is none, or none that can be drawn."""
    try:
        found = msgspec.json.decode(read_regular_file(map_path(predictions), _LARGEST_BYTES), type=FeatureMap)
    except (OSError, ValueError, RecursionError):
        return None
    sizes = {len(found.examples), len(found.x), len(found.y)}
    places = (*found.x, *found.y, *found.explained)
    usable = len(sizes) == 1 and 1 < len(found.examples) <= MOST_EXAMPLES
    return found if usable and all(math.isfinite(one) and abs(one) <= 1 for one in places) else None
