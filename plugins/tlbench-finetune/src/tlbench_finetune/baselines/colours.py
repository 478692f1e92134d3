"""Colour features of images: a histogram of their colours and moments of hue, saturation and value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tlbench import Examples
from tlbench.contracts.images.image_file import rgb

if TYPE_CHECKING:
    from PIL.Image import Image

Floats: TypeAlias = NDArray[np.float32]
LEVELS = 8
"""Bins of the histogram along each of red, green and blue."""
WIDTH = LEVELS**3 + 9
"""The number of features: the histogram's bins, and three moments of each of hue, saturation and value."""
FARTHEST = 10.0
"""Features are clipped to this many standard deviations, so that a colour rare in train does not dominate."""


@dataclass(frozen=True, eq=False)
class ColourFeatures:
    """Colours of images, standardised by mean and standard deviation of the training images."""

    mean: Floats
    """(WIDTH,), in the units of `colours`."""
    deviation: Floats
    """(WIDTH,), 1 where the training images do not vary."""
    width: int = WIDTH
    requirements: ClassVar[tuple[str, ...]] = ("pillow",)

    @classmethod
    def fit(cls, examples: Examples) -> tuple[ColourFeatures, Floats]:
        """Returns the features standardised by the training examples, and their `matrix` for these examples."""
        found = _colours_of_all(examples)
        deviation = found.std(axis=0)
        varied = np.where(deviation > 1e-7, deviation, 1)
        features = cls(found.mean(axis=0).astype(np.float32), varied.astype(np.float32))
        return features, features._standardised(found)

    def matrix(self, examples: Examples) -> Floats:
        """Returns the standardised features of each example, (N, width)."""
        return self._standardised(_colours_of_all(examples))

    def _standardised(self, found: NDArray[np.float64]) -> Floats:
        standard = (found - self.mean) / self.deviation
        return np.clip(standard, -FARTHEST, FARTHEST).astype(np.float32)

    def settings(self) -> dict[str, Any]:
        """Returns the number of levels of each colour."""
        return {"levels": LEVELS}

    def arrays(self) -> dict[str, Floats]:
        """Returns mean and deviation."""
        return {"mean": self.mean, "deviation": self.deviation}


def colours(image: Image) -> NDArray[np.float64]:
    """Returns the features of an image in RGB, (WIDTH,): the share of pixels in each bin, then moments.

    The moments are mean, standard deviation and cube root of the third central moment of hue, saturation and value,
    with channels scaled to 0 to 1 (Stricker & Orengo 1995, doi:10.1117/12.205308).
    """
    red, green, blue = (np.asarray(image) // (256 // LEVELS)).reshape(-1, 3).astype(np.uint16).T
    bins = (red * LEVELS + green) * LEVELS + blue
    histogram = np.bincount(bins, minlength=LEVELS**3) / len(bins)
    # The channels have 256 values, so their moments follow from how often each occurs, without a pass over the pixels.
    shares = np.reshape(image.convert("HSV").histogram(), (3, 256)) / len(bins)
    values = np.arange(256) / 255
    mean = shares @ values
    centred = values - mean[:, None]
    spread = np.sqrt((shares * centred**2).sum(axis=1))
    return np.concatenate([histogram, mean, spread, np.cbrt((shares * centred**3).sum(axis=1))])


def _colours_of_all(examples: Examples) -> NDArray[np.float64]:
    return np.stack([colours(rgb(example.inputs[0])) for example in examples])
