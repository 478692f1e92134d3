"""Estimates of what the heads of this package take beside a backbone, before anything is loaded. Imports no torch.

The numbers of a tensor are counted for each tensor that the backward pass keeps: the output of each layer, and what a
loss makes of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlbench.contracts.kinds.head_size import HeadSize

if TYPE_CHECKING:
    from tlbench import Card

SCORING_BYTES = 150 << 20
"""Examples, predictions, metrics and their libraries: what a baseline without a backbone takes on 630 scenes."""
CHANNELS = 64
"""Width of the heads' feature pyramid network."""
SIDE = 224
"""Side of images if a backbone's card has none."""
_LOSS = 5
"""Tensors of logits at the size of the image: enlarged, normalised, and the gradients of both, one of them twice."""
_POOLED, _HIDDEN, _SAMPLED = 49, 256, 128
"""Positions of a region that Faster R-CNN reads, the width of its second stage, and regions of an image in a step."""
_TENSORS = {"fcos": 2 * 2 * 3, "retinanet": 2 * 4 * 2, "faster-rcnn": 3}
"""Tensors of the width of the pyramid that a detector's branches keep at each position."""
_CONVOLUTIONS = {"fcos": 4, "retinanet": 8, "faster-rcnn": 1}


def map_head_size(card: Card, classes: int, decoder: str) -> HeadSize:
    """Returns the size of a head for `classes` classes of pixels."""
    side, levels = _levels(card)
    finest = (side // levels[0][0]) ** 2
    logits = classes * (_LOSS * side * side + len(levels) * 2 * finest)
    encoded = _encoded(side, levels)
    if decoder == "linear":
        return HeadSize(sum(channels for _, channels in levels) * classes, logits, encoded, SCORING_BYTES)
    parameters, kept = _pyramid(side, levels)
    fused = 9 * CHANNELS**2 * len(levels)
    return HeadSize(
        parameters + fused,
        logits + kept + (len(levels) + 3) * CHANNELS * finest,
        encoded,
        SCORING_BYTES,
    )


def box_head_size(card: Card, classes: int, decoder: str) -> HeadSize:
    """Returns the size of a detector of `classes` classes."""
    if card.decoder_parameters:
        return _transformer_size(card, card.decoder_parameters)
    side, levels = _levels(card)
    parameters, kept = _pyramid(side, levels)
    positions = sum((side // stride) ** 2 for stride, _ in levels)
    anchors = {"fcos": 1, "retinanet": 9, "faster-rcnn": 3}[decoder]
    answers = (1 if decoder == "faster-rcnn" else classes) + 5
    kept += positions * (_TENSORS[decoder] * CHANNELS + 3 * anchors * answers)
    parameters += 9 * CHANNELS**2 * _CONVOLUTIONS[decoder] + 9 * CHANNELS * anchors * answers
    if decoder == "faster-rcnn":
        parameters += CHANNELS * _POOLED * _HIDDEN + _HIDDEN**2
        kept += _SAMPLED * (2 * CHANNELS * _POOLED + 4 * _HIDDEN)
    return HeadSize(parameters, kept, _encoded(side, levels), SCORING_BYTES)


def _transformer_size(card: Card, parameters: int) -> HeadSize:
    """Returns the size of the transformer of a DETR: 6 layers of its usual form over the coarsest map."""
    side, width = card.image_side or SIDE, card.width or 256
    positions = (side // 32) ** 2
    # As for a transformer block: 20 numbers of the width at each position, and the attention of 8 heads.
    layers = 6 * (20 * width * positions + 8 * positions**2 + 20 * width * 100 + 8 * 100 * (positions + 100))
    return HeadSize(parameters, layers, 2048 * positions, SCORING_BYTES)


def _levels(card: Card) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Returns the side of images, and stride and channels of each map."""
    if card.maps:
        return card.image_side or SIDE, card.maps
    width = card.width or 768
    # Networks with tokens have one width; others double theirs with each halving of the map, as ResNet and ConvNeXt do.
    if card.positions and card.positions > (card.image_side or SIDE) ** 2 // 32**2 + 1:
        side = card.image_side or SIDE
        stride = max(1, round(side / card.positions**0.5))
        return side, ((stride, width),) * 4
    return card.image_side or SIDE, tuple((4 << i, max(1, width >> (3 - i))) for i in range(4))


def _encoded(side: int, levels: tuple[tuple[int, int], ...]) -> int:
    return sum(channels * (side // stride) ** 2 for stride, channels in levels)


def _pyramid(side: int, levels: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    """Returns the parameters of a feature pyramid network, and the numbers that it keeps for each image."""
    parameters = sum(channels * CHANNELS for _, channels in levels) + len(levels) * 9 * CHANNELS**2
    positions = sum((side // stride) ** 2 for stride, _ in levels)
    # A lateral map, its sum with the enlarged coarser one, and the output.
    return parameters, 3 * CHANNELS * positions
