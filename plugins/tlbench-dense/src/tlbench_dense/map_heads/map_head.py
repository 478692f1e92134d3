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
from tlbench_dense.kinds.class_runs import IGNORED, decoded, encoded
from tlbench_dense.map_heads.map_decoders import FusedMaps, LinearMaps, enlarged
from tlbench_dense.pyramid.feature_maps import as_feature_maps

if TYPE_CHECKING:
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
        kind = LinearMaps if output.decoder == "linear" else FusedMaps
        self.decoder: nn.Module = kind([level.shape[0] for level in view.levels], len(output.names))

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
        # Probabilities of all windows are kept until they are joined, so they stay as small as the finest map.
        in_full = not self.output.window
        maps = enlarged(logits, self.size).argmax(1).to(torch.uint8) if in_full else logits.softmax(1).half()
        rows = list(maps.cpu().numpy())
        return Outputs([row if is_finite else np.full(1, np.nan) for row, is_finite in zip(rows, finite, strict=True)])

    def merge(self, outputs: list[Outputs], data: Data) -> Predictions:
        """Returns the encoded map of each image, of the image's own size."""
        rows = [row for part in outputs for row in part.values]
        alignment = required_alignment(data)
        of_example: list[list[int]] = [[] for _ in data.examples]
        for row, owner in enumerate(data.owners.tolist()):
            of_example[owner].append(row)
        texts = [encoded(_joined([(rows[i], alignment[i]) for i in indices])) for indices in of_example]
        return Predictions(data.ids, objects(texts))

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


def nearest(part: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns a map of classes of another size, without new classes: of each pixel the one that lies at its centre."""
    if part.shape == size:
        return part
    rows, columns = (
        np.minimum((np.arange(new) + 0.5) * old / new, old - 1).astype(np.int64)
        for old, new in zip(part.shape, size, strict=True)
    )
    return part[rows[:, None], columns]


def _joined(parts: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Returns the map of classes of an image from those of its windows."""
    height, width = (max(int(region[side]) for _, region in parts) for side in (3, 2))
    if len(parts) == 1 and parts[0][0].ndim == 2:
        return nearest(parts[0][0], (height, width))
    total = torch.zeros((len(parts[0][0]), height, width))
    counts = torch.zeros((height, width))
    for probabilities, region in parts:
        left, top, right, bottom = region.tolist()
        window = enlarged(torch.from_numpy(probabilities).float()[None], (bottom - top, right - left))[0]
        total[:, top:bottom, left:right] += window
        counts[top:bottom, left:right] += 1
    return (total / counts).argmax(0).to(torch.uint8).numpy()
