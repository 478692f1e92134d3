"""Renders scenes: scikit-learn's handwritten digits, scaled and turned, on textured ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

MOST_OVERLAP = 0.15
"""Largest share of a digit's pixels that a later digit may cover."""
_TRIES = 20
"""How often a place is looked for before a digit is left out."""
_INK = 0.5
"""Share of ink from which a pixel belongs to a digit."""


@dataclass(frozen=True)
class Difficulty:
    """How hard a scene is."""

    digits: tuple[int, int]
    """Fewest and most digits."""
    contrast: float
    """Distance of a digit's colour from the mean of the ground, of 1."""
    texture: float
    """Strength of the ground's texture, of 1."""
    noise: float
    """Standard deviation of the noise of pixels, of 1."""
    strokes: int
    """Number of lines that are no digits."""


DIFFICULTIES: Mapping[str, Difficulty] = MappingProxyType(
    {
        "easy": Difficulty((1, 3), 0.6, 0.15, 0.02, 0),
        "medium": Difficulty((2, 4), 0.45, 0.3, 0.05, 2),
        "hard": Difficulty((3, 6), 0.35, 0.45, 0.08, 4),
    }
)


@dataclass(frozen=True)
class Scene:
    """A rendered scene."""

    pixels: np.ndarray
    """(H, W, 3) uint8."""
    instances: np.ndarray
    """(H, W) int: 0 for the ground, else one more than the index of the digit that is seen there."""
    labels: tuple[int, ...]
    """The digits, in the order of their indices."""


@lru_cache(maxsize=1)
def digit_images() -> tuple[np.ndarray, np.ndarray]:
    """Returns scikit-learn's digits in a fixed random order: images (1797, 8, 8) from 0 to 1, and labels (1797,)."""
    import numpy as np
    from sklearn.datasets import load_digits

    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))
    return found.images[order] / 16.0, found.target[order]


def render(rng: np.random.Generator, side: int, digits: Sequence[int], difficulty: Difficulty) -> Scene:
    """Returns a scene.

    Args:
        rng: Draws everything.
        side: Height and width in pixels.
        digits: Indices of the images of `digit_images` that may be drawn.
        difficulty: How hard it is.
    """
    import numpy as np

    images, labels = digit_images()
    mean = rng.uniform(0.25, 0.75, 3)
    pixels = mean + difficulty.texture * _texture(rng, side)
    for _ in range(difficulty.strokes):
        ink = _stroke(rng, side)[..., None]
        pixels = (1 - ink) * pixels + ink * _ink_colour(rng, mean, difficulty.contrast)
    instances, kept = np.zeros((side, side), dtype=np.int64), []
    for _ in range(int(rng.integers(difficulty.digits[0], difficulty.digits[1] + 1))):
        index = int(rng.choice(np.asarray(digits)))
        placed = _placed(rng, images[index], instances)
        if placed is None:
            continue
        kept.append(int(labels[index]))
        instances[placed >= _INK] = len(kept)
        ink = placed[..., None]
        pixels = (1 - ink) * pixels + ink * _ink_colour(rng, mean, difficulty.contrast)
    pixels = pixels + rng.normal(0, difficulty.noise, pixels.shape)
    return Scene((pixels.clip(0, 1) * 255).round().astype(np.uint8), instances, tuple(kept))


def _placed(rng: np.random.Generator, image: np.ndarray, instances: np.ndarray) -> np.ndarray | None:
    """Returns the ink (H, W) of a digit at a free place, from 0 to 1; None if none was found."""
    import numpy as np

    side = len(instances)
    for _ in range(_TRIES):
        ink = _scaled(rng, image, round(side * rng.uniform(0.2, 0.42)))
        height, width = ink.shape
        top, left = (int(rng.integers(0, side - extent + 1)) for extent in (height, width))
        placed = np.zeros((side, side))
        placed[top : top + height, left : left + width] = ink
        covered = np.bincount(instances[placed >= _INK], minlength=instances.max() + 1)[1:]
        sizes = np.bincount(instances.reshape(-1))[1:]
        if (placed >= _INK).sum() and (covered <= MOST_OVERLAP * sizes).all():
            return placed
    return None


def _scaled(rng: np.random.Generator, image: np.ndarray, side: int) -> np.ndarray:
    """Returns a digit of this height and width, slightly turned, cut to its ink."""
    import numpy as np
    from PIL import Image

    small = Image.fromarray((image * 255).round().astype(np.uint8))
    large = small.resize((side, side), Image.Resampling.BICUBIC)
    turned = np.asarray(large.rotate(float(rng.uniform(-15, 15)), Image.Resampling.BILINEAR)) / 255
    ink = np.clip(1.6 * turned - 0.2, 0, 1)
    rows, columns = np.flatnonzero(ink.max(1) >= _INK), np.flatnonzero(ink.max(0) >= _INK)
    if not len(rows):
        return ink
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _texture(rng: np.random.Generator, side: int) -> np.ndarray:
    """Returns smooth noise (H, W, 3) of several scales, within -1 and 1."""
    import numpy as np
    from PIL import Image

    total = np.zeros((side, side, 3))
    for cells, weight in ((3, 0.5), (8, 0.3), (24, 0.2)):
        grid = rng.uniform(-1, 1, (cells, cells, 3))
        planes = [Image.fromarray(grid[..., c].astype(np.float32)) for c in range(3)]
        smooth = [np.asarray(plane.resize((side, side), Image.Resampling.BICUBIC)) for plane in planes]
        total += weight * np.stack(smooth, axis=-1)
    return total


def _stroke(rng: np.random.Generator, side: int) -> np.ndarray:
    """Returns the ink (H, W) of a line."""
    import numpy as np
    from PIL import Image, ImageDraw

    sheet = Image.new("L", (side, side), 0)
    ends = rng.uniform(0, side, 4).tolist()
    ImageDraw.Draw(sheet).line(ends, fill=255, width=int(rng.integers(2, 4)))
    return np.asarray(sheet) / 255


def _ink_colour(rng: np.random.Generator, mean: np.ndarray, contrast: float) -> np.ndarray:
    """Returns a colour at a distance of `contrast` from the mean of the ground, in a random direction."""
    import numpy as np

    direction = rng.normal(size=3)
    direction /= np.abs(direction).max()
    # Towards the side of each channel that has room.
    direction = np.where(mean + contrast * direction > 1, -np.abs(direction), direction)
    direction = np.where(mean + contrast * direction < 0, np.abs(direction), direction)
    return np.asarray((mean + contrast * direction).clip(0, 1))
