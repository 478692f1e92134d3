"""Random views of images for contrastive learning."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

AREA = (0.2, 1.0)
"""Range of the area of the part that is kept, as a share of the image's."""
RATIO = (3 / 4, 4 / 3)
"""Range of the ratio of the part's sides."""
STRENGTH = 0.4
"""The largest relative change of contrast and colour, and of brightness in standard deviations of the image."""
GREY = 0.2
"""Share of the views without colour."""


def random_views(images: Tensor, *, flip: bool) -> Tensor:
    """Returns a random view of each image, (B, C, H, W): a part enlarged to the whole, with other light and colour.

    Chen et al. 2020, arXiv:2002.05709, appendix A, without blur. Pixels are normalised as the backbone wants them, so
    brightness and contrast are relative to the image's own mean and standard deviation.
    """
    return _relit(_cropped(images, flip))


def _uniform(images: Tensor, low: float, high: float) -> Tensor:
    return torch.empty(len(images), dtype=images.dtype, device=images.device).uniform_(low, high)


def _cropped(images: Tensor, flip: bool) -> Tensor:
    area, ratio = _uniform(images, *AREA), _uniform(images, math.log(RATIO[0]), math.log(RATIO[1])).exp()
    width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    matrix = images.new_zeros(len(images), 2, 3)
    mirrored = _uniform(images, -1, 1) < 0 if flip else torch.zeros_like(area, dtype=torch.bool)
    matrix[:, 0, 0], matrix[:, 1, 1] = torch.where(mirrored, -width, width), height
    # Coordinates run from -1 to 1, so a part that is as wide as the image has no room to move.
    matrix[:, 0, 2], matrix[:, 1, 2] = (1 - width) * _uniform(images, -1, 1), (1 - height) * _uniform(images, -1, 1)
    grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _relit(images: Tensor) -> Tensor:
    shape = (len(images), 1, 1, 1)
    colour = _uniform(images, 1 - STRENGTH, 1 + STRENGTH).where(_uniform(images, 0, 1) >= GREY, 0.0).view(shape)
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * colour
    mean, spread = images.mean((1, 2, 3), keepdim=True), images.std((1, 2, 3), keepdim=True)
    contrast = _uniform(images, 1 - STRENGTH, 1 + STRENGTH).view(shape)
    brightness = _uniform(images, -STRENGTH, STRENGTH).view(shape)
    return mean + brightness * spread + (images - mean) * contrast
