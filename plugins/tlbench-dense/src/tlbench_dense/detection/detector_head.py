"""The head for object detection: a detector of torchvision over the maps of a pyramid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tlbench import Predictions
from tlbench.metrics.scored import objects
from tlbench.modeling.data import Data
from tlbench.modeling.heads.head import Head, Outputs, required_alignment
from tlbench_dense.pyramid.feature_maps import as_feature_maps
from tlbench_dense.pyramid.maps_export import maps_model
from tlbench_dense.standalone.box_texts import COLUMNS, prediction_text
from tlbench_dense.standalone.detectors import detector, rows_of

if TYPE_CHECKING:
    from tlbench.contracts.exports.forms import MapsModel
    from tlbench.modeling.encoder import Encoder, Hidden
    from tlbench_dense.kinds.boxes import Boxes

_PADDING = -1.0
"""The class of rows without a box in the tensor of targets."""


class DetectorHead(Head):
    """Finds boxes with torchvision's FCOS, RetinaNet or Faster R-CNN, whose losses it adds up.

    Crowds are not trained on, as in torchvision's own training script.
    """

    def __init__(self, encoder: Encoder, output: Boxes) -> None:
        super().__init__()
        self.output = output
        view = as_feature_maps(encoder)
        self.size = view.size
        channels, strides = [level.shape[0] for level in view.levels], [level.stride for level in view.levels]
        self.detector = detector(output.decoder, channels, strides, len(output.names), view.size)

    def forward(self, encoder: Encoder, hidden: Hidden) -> dict[str, Any]:
        """Returns what the detector computes its losses and boxes from."""
        found: dict[str, Any] = self.detector(as_feature_maps(encoder).maps(hidden, like=next(self.parameters())))
        return found

    def loss(self, logits: dict[str, Any], targets: Tensor) -> Tensor:
        """Returns the sum of the detector's losses.

        Args:
            logits: The result of `forward`.
            targets: (B, M, 5): class and corners of each box, padded with the class -1.
        """
        wanted = []
        for boxes in targets:
            real = boxes[boxes[:, 0] >= 0]
            wanted.append({"boxes": real[:, 1:5], "labels": real[:, 0].long()})
        return torch.stack(list(self.detector.losses(logits, wanted).values())).sum()

    def outputs(self, logits: dict[str, Any]) -> Outputs:
        """Returns the boxes of each row, (n, 6): class, corners in pixels of the input, and score.

        A row with an output that is not finite is NaN.
        """
        finite = self.detector.finite(logits)
        if not bool(finite.all()):
            return Outputs([np.full((1, COLUMNS), np.nan)] * len(finite))
        rows = [row.cpu().numpy() for row in rows_of(self.detector.boxes(logits))]
        return Outputs(rows)

    def merge(self, outputs: list[Outputs], data: Data) -> Predictions:
        """Returns the boxes of each image in its own pixels, as texts."""
        rows = [row for part in outputs for row in part.values]
        texts = [""] * len(data.examples)
        for owner, region, row in zip(data.owners.tolist(), required_alignment(data), rows, strict=True):
            boxes = row.astype(np.float64)
            boxes[:, 1:5] /= self._scale(region)
            texts[owner] = prediction_text(boxes)
        return Predictions(data.ids, objects(texts))

    def exportable(self, encoder: Encoder) -> MapsModel:
        """Returns the detector as a script that needs torch and torchvision alone.

        Raises:
            UsageError: The encoder does not say where its maps are.
        """
        view, output = as_feature_maps(encoder), self.output
        settings = {
            "decoder": output.decoder, "names": list(output.names), "size": list(self.size),
            "shapes": [list(level.shape) for level in view.levels],
            "strides": [level.stride for level in view.levels],
        }  # fmt: skip
        return maps_model(view, "box_head_script.py", settings, self.detector.state_dict())

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
