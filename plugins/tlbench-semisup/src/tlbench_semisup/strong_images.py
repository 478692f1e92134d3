"""Strong augmentation of images: two random operations and a part cut out, drawn anew at each reading."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from tlbench.modeling.data import Data
from tlbench.training import PIXELS, altered_images

OPERATIONS = 2
"""Number of operations for each image, as in RandAugment and FixMatch."""
ANGLE, SHEAR, SHIFT = math.pi / 6, 0.3, 0.3
"""The largest rotation (30 degrees), shear and shift (a share of half the side), as in RandAugment."""
CUT = 0.5
"""The longest side of the part that is cut out, as a share of the image's, as in FixMatch."""


def strongly_augmented(data: Data) -> Data:
    """Returns the data with images that are altered strongly each time they are read.

    RandAugment (Cubuk et al. 2020, arXiv:1909.13719) with random strengths, then Cutout (DeVries & Taylor 2017,
    arXiv:1708.04552), as in FixMatch. Pixels are normalised as the backbone wants them, so only operations that need
    no range of values take part: rotation, shear, shift, contrast, brightness, colour and blur.

    Raises:
        PluginError: The rows are no images.
    """
    return altered_images(
        data,
        lambda images: torch.stack([_cut(_altered(image)) for image in images]),
        "strong",
        f"strong views are of images or texts, and these rows have no {PIXELS}",
    )


def _altered(image: Tensor) -> Tensor:
    """Returns an image (C, H, W) after random operations of random strength."""
    for operation in torch.randint(len(_ALL), (OPERATIONS,)).tolist():
        image = _ALL[operation](image, 2 * float(torch.rand(())) - 1)
    return image


def _warped(image: Tensor, matrix: list[list[float]]) -> Tensor:
    theta = torch.tensor([matrix], dtype=image.dtype)
    grid = functional.affine_grid(theta, [1, *image.shape], align_corners=False)
    return functional.grid_sample(image[None], grid, padding_mode="border", align_corners=False)[0]


def _rotated(image: Tensor, strength: float) -> Tensor:
    cosine, sine = math.cos(ANGLE * strength), math.sin(ANGLE * strength)
    return _warped(image, [[cosine, -sine, 0.0], [sine, cosine, 0.0]])


def _blended(image: Tensor, other: Tensor, strength: float) -> Tensor:
    """Returns the image moved towards another (strength below 0) or away from it."""
    return other + (image - other) * (1 + 0.9 * strength)


_ALL = (
    _rotated,
    lambda image, strength: _warped(image, [[1.0, SHEAR * strength, 0.0], [0.0, 1.0, 0.0]]),
    lambda image, strength: _warped(image, [[1.0, 0.0, 0.0], [SHEAR * strength, 1.0, 0.0]]),
    lambda image, strength: _warped(image, [[1.0, 0.0, SHIFT * strength], [0.0, 1.0, 0.0]]),
    lambda image, strength: _warped(image, [[1.0, 0.0, 0.0], [0.0, 1.0, SHIFT * strength]]),
    # Contrast: the mean of the image; colour: that of its channels at each pixel; brightness: its darkest value.
    lambda image, strength: _blended(image, image.mean(), strength),
    lambda image, strength: _blended(image, image.mean(0, keepdim=True), strength),
    lambda image, strength: _blended(image, image.min(), strength),
    lambda image, strength: _blended(image, functional.avg_pool2d(image, 3, 1, 1, count_include_pad=False), strength),
)


def _cut(image: Tensor) -> Tensor:
    """Returns an image (C, H, W) in which a random square has the image's mean."""
    _, height, width = image.shape
    side = int(1 + float(torch.rand(())) * CUT * min(height, width))
    top, left = int(torch.randint(height - side + 1, ())), int(torch.randint(width - side + 1, ()))
    image = image.clone()
    image[:, top : top + side, left : left + side] = image.mean()
    return image
