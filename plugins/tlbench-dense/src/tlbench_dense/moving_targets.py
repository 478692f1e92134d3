"""Augmentation that moves targets with their images: flips, shifts and changes of scale by torchvision's transforms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from tlbench import PluginError
from tlbench.modeling.data import Batch, Data
from tlbench.training import PIXELS
from tlbench_dense.standalone.class_runs import IGNORED

SHIFT = 1 / 8
"""Largest shift, as a share of the side."""
SCALE = (0.8, 1.25)
SMALLEST = 1.0
"""Boxes with a side of less than so many pixels are left out."""


class MovedTarget(Protocol):
    """The target of a row as a tensor that torchvision moves with its image, and back."""

    def wrapped(self, target: Tensor, size: tuple[int, int]) -> dict[str, Any]:
        """Returns the tensors of torchvision for a row's target."""

    def unwrapped(self, moved: dict[str, Any], target: Tensor) -> Tensor:
        """Returns the target of the row, in its form and shape, after it was moved."""


class MovedMap:
    """Maps of classes (H, W); pixels that come from outside of the image are ignored."""

    def wrapped(self, target: Tensor, size: tuple[int, int]) -> dict[str, Any]:
        """Returns the map."""
        return {"map": tv_tensors.Mask(target[None])}

    def unwrapped(self, moved: dict[str, Any], target: Tensor) -> Tensor:
        """Returns the moved map."""
        return moved["map"].as_subclass(torch.Tensor)[0].to(target.dtype)


class MovedBoxes:
    """Boxes (M, 5) with class and corners, padded with the class -1; what is left of a box inside the image counts."""

    def wrapped(self, target: Tensor, size: tuple[int, int]) -> dict[str, Any]:
        """Returns the boxes and their classes."""
        real = target[target[:, 0] >= 0]
        boxes = tv_tensors.BoundingBoxes(real[:, 1:5], format="XYXY", canvas_size=size)  # type: ignore[call-overload]
        return {"boxes": boxes, "labels": real[:, 0]}

    def unwrapped(self, moved: dict[str, Any], target: Tensor) -> Tensor:
        """Returns the moved boxes without those that have left the image."""
        boxes = moved["boxes"].as_subclass(torch.Tensor)
        inside = ((boxes[:, 2:] - boxes[:, :2]) >= SMALLEST).all(1)
        result = torch.full_like(target, -1)
        kept = torch.cat([moved["labels"][inside, None], boxes[inside]], dim=1)
        result[: len(kept)] = kept
        return result


def moving(data: Data, targets: Tensor, kind: MovedTarget) -> Data:
    """Returns the data with images and targets that are moved together, anew each time they are read.

    Half of the images are mirrored; each is shifted by up to an eighth of its side and scaled by 0.8 to 1.25. What
    comes in from outside is of the mean colour.

    Args:
        data: Rows whose batches have images of one size.
        targets: The target of each row.
        kind: How a target is moved.

    Raises:
        PluginError: When a batch is read: the rows are no images.
    """
    fill = {tv_tensors.Mask: IGNORED, "others": 0}
    transform = v2.Compose(
        [
            v2.RandomHorizontalFlip(),
            v2.RandomAffine(0, translate=(SHIFT, SHIFT), scale=SCALE, fill=fill),
            v2.ClampBoundingBoxes(),
        ]
    )
    collate = data.collate

    def collated(rows: Sequence[tuple[Any, int]]) -> Batch:
        batch = collate([row for row, _ in rows])
        if not isinstance(batch.get(PIXELS), Tensor):
            raise PluginError(f"augmentation moves images, and these rows have no {PIXELS}")
        images, moved = [], []
        for image, (_, index) in zip(batch[PIXELS], rows, strict=True):
            size = (int(image.shape[-2]), int(image.shape[-1]))
            result = transform({"image": tv_tensors.Image(image), **kind.wrapped(targets[index], size)})
            images.append(result["image"].as_subclass(torch.Tensor))
            moved.append(kind.unwrapped(result, targets[index]))
        return {**batch, PIXELS: torch.stack(images), "targets": torch.stack(moved)}

    paired = list(zip(data.rows, range(len(data.rows)), strict=True))
    changed = data.with_rows(paired, collated, f"{data.fingerprint}/moved")
    return replace(changed, augmented=True)
