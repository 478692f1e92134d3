"""Images that are altered each time they are read for training; plain augmentation flips and shifts them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tlbench.contracts.errors import PluginError
from tlbench.modeling.data import Batch, Data

PIXELS = "pixel_values"
"""The key of a batch's images, (B, C, H, W)."""
SHIFT = 8
"""An image is shifted by up to its side divided by this number: 4 of 32 pixels, as in He et al. 2016."""


def augmented(data: Data) -> Data:
    """Returns the data with images that are flipped and shifted at random each time they are read.

    Half of the images are mirrored, and each is shifted by up to an eighth of its side, with mirrored borders (He et
    al. 2016, arXiv:1512.03385, section 4.2). Hidden states of such data are never cached, so a frozen prefix is
    computed at every step.

    Raises:
        PluginError: The rows are no images.
    """
    return altered_images(
        data,
        lambda images: _flipped(_shifted(images)),
        "augmented",
        f"augmentation flips and shifts images, and these rows have no {PIXELS}",
    )


def altered_images(data: Data, alter: Callable[[Tensor], Tensor], name: str, without_images: str) -> Data:
    """Returns the data with images that are altered each time they are read, and are therefore never cached.

    Args:
        data: Rows whose batches have images.
        alter: Returns altered images, both of shape (B, C, H, W); it may draw from torch's global generator.
        name: What is added to the data's fingerprint.
        without_images: The error message for rows that have no images.

    Raises:
        PluginError: When a batch is read: the rows are no images.
    """
    collate = data.collate

    def collated(rows: Sequence[Any]) -> Batch:
        batch = collate(rows)
        if not isinstance(batch.get(PIXELS), Tensor):
            raise PluginError(without_images)
        return {**batch, PIXELS: alter(batch[PIXELS])}

    return replace(data, collate=collated, augmented=True, shared=None, fingerprint=f"{data.fingerprint}/{name}")


def _shifted(images: Tensor) -> Tensor:
    """Returns images (B, C, H, W), each cut at a random place from itself with mirrored borders."""
    count, _, height, width = images.shape
    down, right = height // SHIFT, width // SHIFT
    padded = functional.pad(images, (right, right, down, down), mode="reflect")
    tops = torch.randint(0, 2 * down + 1, (count,)).tolist()
    lefts = torch.randint(0, 2 * right + 1, (count,)).tolist()
    return torch.stack(
        [
            image[:, top : top + height, left : left + width]
            for image, top, left in zip(padded, tops, lefts, strict=True)
        ]
    )


def _flipped(images: Tensor) -> Tensor:
    """Returns images (B, C, H, W), half of them mirrored left to right."""
    mirrored = torch.rand(len(images)) < 0.5
    return torch.where(mirrored.view(-1, 1, 1, 1), images.flip(-1), images)
