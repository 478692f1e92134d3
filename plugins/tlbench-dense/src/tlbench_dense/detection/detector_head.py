"""The head for object detection: a detector of torchvision over the maps of a pyramid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tlbench.modeling.heads.head import Outputs
from tlbench_dense.detection.box_head import BoxHead
from tlbench_dense.pyramid.feature_maps import as_feature_maps
from tlbench_dense.pyramid.maps_export import maps_model
from tlbench_dense.standalone.box_texts import COLUMNS
from tlbench_dense.standalone.detectors import detector, rows_of

if TYPE_CHECKING:
    from tlbench.contracts.exports.forms import MapsModel
    from tlbench.modeling.encoder import Encoder, Hidden
    from tlbench_dense.kinds.boxes import Boxes


class DetectorHead(BoxHead):
    """Finds boxes with torchvision's FCOS, RetinaNet or Faster R-CNN, whose losses it adds up."""

    def __init__(self, encoder: Encoder, output: Boxes) -> None:
        view = as_feature_maps(encoder)
        super().__init__(output, view.size)
        channels, strides = [level.shape[0] for level in view.levels], [level.stride for level in view.levels]
        self.detector = detector(output.decoder, channels, strides, len(output.names), view.size)

    def forward(self, encoder: Encoder, hidden: Hidden) -> dict[str, Any]:
        """Returns the detector's outputs by name: class scores and box offsets of anchors or proposals."""
        found: dict[str, Any] = self.detector(as_feature_maps(encoder).maps(hidden, like=next(self.parameters())))
        return found

    def loss(self, logits: dict[str, Any], targets: Tensor) -> Tensor:
        """Returns the sum of the detector's losses.

        Args:
            logits: The result of `forward`.
            targets: (B, M, 5): class and corners of each box, padded with the class -1.
        """
        return torch.stack(list(self.detector.losses(logits, self.wanted(targets)).values())).sum()

    def outputs(self, logits: dict[str, Any]) -> Outputs:
        """Returns the boxes of each row, (n, 6): class, corners in pixels of the input, and score.

        A row with an output that is not finite is NaN.
        """
        finite = self.detector.finite(logits)
        if not bool(finite.all()):
            return Outputs([np.full((1, COLUMNS), np.nan)] * len(finite))
        rows = [row.cpu().numpy() for row in rows_of(self.detector.boxes(logits))]
        return Outputs(rows)

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
