"""The head for semantic segmentation: logits of classes over the maps of a pyramid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from tlbench import Predictions
from tlbench.metrics.scored import objects
from tlbench.modeling.data import Data
from tlbench.modeling.heads.head import Head, Outputs, required_alignment
from tlbench.modeling.precision import at_least_fp32
from tlbench_dense.pyramid.feature_maps import as_feature_maps
from tlbench_dense.pyramid.maps_export import maps_model
from tlbench_dense.standalone.class_runs import IGNORED, decoded, encoded
from tlbench_dense.standalone.map_decoders import enlarged, joined, map_decoder, nearest, rows_of

if TYPE_CHECKING:
    from tlbench.contracts.exports.forms import MapsModel
    from tlbench.modeling.encoder import Encoder, Hidden
    from tlbench_dense.kinds.masks import Masks


class MapHead(Head):
    """Classifies each pixel by the maps of the encoder, enlarged to the size of its input.

    The loss is the cross-entropy, averaged over all pixels of a batch that are not ignored. Of an image that is cut
    into windows, the probabilities of a pixel are averaged over the windows that show it.
    """

    def __init__(self, encoder: Encoder, output: Masks) -> None:
        super().__init__()
        self.output = output
        view = as_feature_maps(encoder)
        self.size = view.size
        channels = [level.shape[0] for level in view.levels]
        self.decoder: nn.Module = map_decoder(output.decoder, channels, len(output.names))

    def forward(self, encoder: Encoder, hidden: Hidden) -> Tensor:
        """Returns logits (B, K, h, w) at the size of the finest map."""
        logits: Tensor = self.decoder(as_feature_maps(encoder).maps(hidden, like=next(self.parameters())))
        return logits

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the mean cross-entropy over pixels that are not ignored.

        Args:
            logits: (B, K, h, w).
            targets: (B, H, W) uint8.
        """
        wanted = targets.long()
        full = enlarged(at_least_fp32(logits), wanted.shape[-2:])
        total = nn.functional.cross_entropy(full, wanted, ignore_index=IGNORED, reduction="sum")
        return total / (wanted != IGNORED).sum().clamp(min=1)

    def outputs(self, logits: Tensor) -> Outputs:
        """Returns a map per row: classes (H, W) in uint8 or, for windows, probabilities (K, h, w) in fp16.

        A row with a logit that is not finite is NaN.
        """
        logits = at_least_fp32(logits)
        finite = torch.isfinite(logits).flatten(1).all(1).tolist()
        rows = rows_of(logits, self.size, bool(self.output.window))
        return Outputs([row if is_finite else np.full(1, np.nan) for row, is_finite in zip(rows, finite, strict=True)])

    def merge(self, outputs: list[Outputs], data: Data) -> Predictions:
        """Returns the encoded map of each image, of the image's own size."""
        rows = [row for part in outputs for row in part.values]
        alignment = required_alignment(data)
        of_example: list[list[int]] = [[] for _ in data.examples]
        for row, owner in enumerate(data.owners.tolist()):
            of_example[owner].append(row)
        texts = [encoded(joined([(rows[i], alignment[i]) for i in indices])) for indices in of_example]
        return Predictions(data.ids, objects(texts))

    def exportable(self, encoder: Encoder) -> MapsModel:
        """Returns the decoder as a script that needs torch and torchvision alone.

        Raises:
            UsageError: The encoder does not say where its maps are.
        """
        view, output = as_feature_maps(encoder), self.output
        settings = {
            "decoder": output.decoder, "names": list(output.names), "window": output.window, "size": list(self.size),
            "shapes": [list(level.shape) for level in view.levels],
        }  # fmt: skip
        return maps_model(view, "map_head_script.py", settings, self.decoder.state_dict())

    def targets(self, data: Data) -> Tensor:
        """Returns the map of each row at the size of the encoder's input, (rows, H, W) uint8.

        Raises:
            ValueError: The examples are unlabelled.
        """
        targets = torch.empty((len(data), *self.size), dtype=torch.uint8)
        for row, (owner, region) in enumerate(zip(data.owners.tolist(), required_alignment(data), strict=True)):
            if data.examples[owner].target is None:
                raise ValueError("these examples are unlabelled")
            left, top, right, bottom = region.tolist()
            part = decoded(data.examples[owner].target)[top:bottom, left:right]
            targets[row] = torch.from_numpy(nearest(part, self.size))
        return targets

    def augmented(self, data: Data) -> Data:
        """Returns the data with images that are flipped, shifted and scaled at random, and maps that move with them."""
        from tlbench_dense.moving_targets import MovedMap, moving

        return moving(data, self.targets(data), MovedMap())
