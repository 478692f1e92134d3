"""What heads for object detection share: boxes of images in pixels of the input, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tlbench import Predictions
from tlbench.metrics.scored import objects
from tlbench.modeling.data import Data
from tlbench.modeling.heads.head import Head, Outputs, required_alignment
from tlbench_dense.standalone.box_texts import prediction_text

if TYPE_CHECKING:
    from tlbench_dense.kinds.boxes import Boxes

_PADDING = -1.0
"""The class of rows without a box in the tensor of targets."""


class BoxHead(Head):
    """A head whose outputs are the boxes of each row, (n, 6): class, corners in pixels of the input, and score.

    Crowds are not trained on, as in torchvision's own training script.
    """

    def __init__(self, output: Boxes, size: tuple[int, int]) -> None:
        """Takes the kind of output, and height and width of the input."""
        super().__init__()
        self.output, self.size = output, size

    def wanted(self, targets: Tensor) -> list[dict[str, Tensor]]:
        """Returns the boxes of each image, without padding, as torchvision's and transformers' detectors take them."""
        real = [boxes[boxes[:, 0] >= 0] for boxes in targets]
        return [{"boxes": boxes[:, 1:5], "labels": boxes[:, 0].long()} for boxes in real]

    def merge(self, outputs: list[Outputs], data: Data) -> Predictions:
        """Returns the boxes of each image in its own pixels, as texts."""
        rows = [row for part in outputs for row in part.values]
        texts = [""] * len(data.examples)
        for owner, region, row in zip(data.owners.tolist(), required_alignment(data), rows, strict=True):
            boxes = row.astype(np.float64)
            boxes[:, 1:5] /= self._scale(region)
            texts[owner] = prediction_text(boxes)
        return Predictions(data.ids, objects(texts))

    def targets(self, data: Data) -> Tensor:
        """Returns the boxes of each row in pixels of the input, (rows, M, 5), padded with the class -1.

        Raises:
            ValueError: The examples are unlabelled.
        """
        real: list[np.ndarray] = []
        for owner, region in zip(data.owners.tolist(), required_alignment(data), strict=True):
            if (target := data.examples[owner].target) is None:
                raise ValueError("these examples are unlabelled")
            boxes = np.asarray([box[:5] for box in target if not box.crowd], dtype=np.float64).reshape(-1, 5)
            boxes[:, 1:5] *= self._scale(region)
            real.append(boxes)
        most = max((len(boxes) for boxes in real), default=0)
        # At least one row, so that a batch of images without objects has a tensor too.
        targets = torch.full((len(real), max(1, most), 5), _PADDING)
        for row, boxes in enumerate(real):
            targets[row, : len(boxes)] = torch.from_numpy(boxes)
        return targets

    def augmented(self, data: Data) -> Data:
        """Returns the data with images that are flipped, shifted and scaled at random, and boxes that follow."""
        from tlbench_dense.moving_targets import MovedBoxes, moving

        return moving(data, self.targets(data), MovedBoxes())

    def _scale(self, region: np.ndarray) -> np.ndarray:
        """Returns pixels of the input for each pixel of the image, for left, top, right and bottom."""
        left, top, right, bottom = region.tolist()
        across, down = self.size[1] / (right - left), self.size[0] / (bottom - top)
        return np.array([across, down, across, down])
