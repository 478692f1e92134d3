"""The transformer of a detector of the DETR family as a head for boxes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tlbench import PluginError
from tlbench.contracts.exports.forms import MapsModel, StagePoint
from tlbench.modeling.heads.head import Outputs
from tlbench.modeling.precision import at_least_fp32
from tlbench_dense.detection.box_head import BoxHead
from tlbench_dense.detr.detr_encoder import DetrFeatures, load_detector
from tlbench_dense.pyramid.maps_export import head_program
from tlbench_dense.standalone.box_texts import COLUMNS
from tlbench_dense.standalone.detr_network import DetrNetwork

if TYPE_CHECKING:
    from tlbench.modeling.encoder import Encoder, Hidden
    from tlbench_dense.kinds.boxes import Boxes


class DetrHead(BoxHead):
    """A transformer that turns the maps of an image into a set of boxes, with the loss of transformers.

    All of it is computed in fp32 where the loss or the boxes are: the loss of some families adds noisy targets to the
    queries.
    """

    def __init__(self, encoder: DetrFeatures, output: Boxes, native: Any) -> None:
        super().__init__(output, (encoder.side, encoder.side))
        self.network = DetrNetwork(native, encoder.shapes, self.size)

    def forward(self, encoder: Encoder, hidden: Hidden) -> Tensor:
        """Returns the maps as vectors, (B, N)."""
        return at_least_fp32(hidden.x)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the loss of transformers: classes, corners and overlap of matched boxes.

        Args:
            logits: The result of `forward`.
            targets: (B, M, 5): class and corners of each box, padded with the class -1.
        """
        with torch.autocast(logits.device.type, enabled=False):
            return self.network.loss(logits, self.wanted(targets))

    def outputs(self, logits: Tensor) -> Outputs:
        """Returns the boxes of each row, (n, 6): class, corners in pixels of the input, and score.

        All rows are NaN if a number is not finite.
        """
        with torch.autocast(logits.device.type, enabled=False):
            rows = self.network.rows(logits)
        if not all(bool(torch.isfinite(row).all()) for row in rows):
            return Outputs([np.full((1, COLUMNS), np.nan)] * len(rows))
        return Outputs([row.cpu().numpy() for row in rows])

    def exportable(self, encoder: Encoder) -> MapsModel:
        """Returns the transformer as a script that needs torch and transformers alone."""
        settings = {
            "config": self.network.native.config.to_dict(), "shapes": [list(shape) for shape in self.network.shapes],
            "names": list(self.output.names), "size": list(self.size),
        }  # fmt: skip
        program = head_program("detr_head_script.py", settings, self.network.state_dict())
        return MapsModel(encoder.underlying, (StagePoint(""),), program)


def detr_head(folder: Path, title: str, output: Boxes, encoder: Encoder) -> DetrHead:
    """Returns the head of a folder's detector; its weights are random if the encoder's are.

    Raises:
        PluginError: The encoder is of another backbone, or a tensor did not load.
    """
    if not isinstance(encoder, DetrFeatures):
        raise PluginError(f"{title}: a {type(encoder).__name__} is no backbone of a detector")
    pretrained = not encoder.identity.startswith("random")
    return DetrHead(encoder, output, load_detector(folder, title, len(output.names), pretrained=pretrained))
