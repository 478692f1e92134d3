"""A detector of the DETR family that reads given maps in place of its own backbone.

The file imports no tlbench, and `tlbench export` copies it into the folder of a detector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

MOST = 100
"""Largest number of boxes of an image."""
SOFTMAX = frozenset({"detr"})
"""Families whose classes exclude each other, the last of which is no object; others give each class a probability."""


class GivenMaps(nn.Module):
    """Stands for the backbone of a detector of transformers; returns maps that were computed before."""

    def __init__(self) -> None:
        super().__init__()
        self.maps: list[Tensor] = []

    def forward(self, pixel_values: Tensor, pixel_mask: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Returns each map with its mask, in which every position counts: images fill their size."""
        return [(x, x.new_ones((len(x), *x.shape[-2:]), dtype=torch.bool)) for x in self.maps]


class DetrNetwork(nn.Module):
    """The transformer of a detector, with its layers for classes and boxes."""

    def __init__(self, native: Any, shapes: Sequence[Sequence[int]], size: tuple[int, int]) -> None:
        """Takes a detector of transformers, whose backbone is removed, and shapes of maps (C, H, W) and of images."""
        super().__init__()
        native.model.backbone = GivenMaps()
        self.native = native
        self.shapes, self.size = [tuple(shape) for shape in shapes], size

    def loss(self, x: Tensor, targets: Sequence[Mapping[str, Tensor]]) -> Tensor:
        """Returns the library's own loss, with those of auxiliary layers and noise that the model's settings ask for.

        Args:
            x: (B, N), the maps of each image as one vector.
            targets: For each image `labels` (n,) and `boxes` (n, 4), corners in pixels of the input.
        """
        height, width = self.size
        scale = x.new_tensor([width, height, width, height])
        labels = [{"class_labels": one["labels"], "boxes": centres(one["boxes"].to(x) / scale)} for one in targets]
        loss: Tensor = self._run(x, labels=labels).loss
        return loss

    def rows(self, x: Tensor) -> list[Tensor]:
        """Returns the best boxes of each image, (n, 6): class, corners in pixels of the input, and score."""
        found = self._run(x)
        logits, boxes = found.logits, corners(found.pred_boxes)
        height, width = self.size
        boxes = boxes * boxes.new_tensor([width, height, width, height])
        boxes = torch.stack([boxes[..., i].clamp(0, (width, height)[i % 2]) for i in range(4)], dim=-1)
        if self.native.config.model_type in SOFTMAX:
            scores, labels = logits.softmax(-1)[..., :-1].max(-1)
            return [
                torch.cat([b[:, None].to(c), c, s[:, None]], 1) for b, c, s in zip(labels, boxes, scores, strict=True)
            ]
        count, chances = logits.shape[-1], logits.sigmoid().flatten(1)
        scores, places = chances.topk(min(MOST, chances.shape[1]))
        return [
            torch.cat([(at % count)[:, None].to(of), of[at // count], score[:, None]], 1)
            for of, score, at in zip(boxes, scores, places, strict=True)
        ]

    def _run(self, x: Tensor, **more: Any) -> Any:
        sizes = [shape[0] * shape[1] * shape[2] for shape in self.shapes]
        parts = x.split(sizes, dim=1)
        given = [part.reshape(len(part), *shape) for part, shape in zip(parts, self.shapes, strict=True)]
        self.native.model.backbone.maps = given
        try:
            # Of the images the model reads sizes alone.
            return self.native(x.new_zeros(1).expand(len(x), 3, *self.size), **more)
        finally:
            self.native.model.backbone.maps = []


def flattened(features: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Returns the maps that a detector's backbone gives as one vector for each image, (B, N)."""
    return torch.cat([x.flatten(1) for x, _ in features], dim=1)


def centres(boxes: Tensor) -> Tensor:
    """Returns boxes (..., 4) with corners as centre, width and height."""
    left, top, right, bottom = boxes.unbind(-1)
    return torch.stack([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top], dim=-1)


def corners(boxes: Tensor) -> Tensor:
    """Returns boxes (..., 4) with centre, width and height as left, top, right and bottom."""
    across, down, width, height = boxes.unbind(-1)
    return torch.stack([across - width / 2, down - height / 2, across + width / 2, down + height / 2], dim=-1)
