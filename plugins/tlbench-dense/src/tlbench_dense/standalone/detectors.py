"""torchvision's detectors over a pyramid of maps, without a backbone of their own.

The file imports no tlbench, and `tlbench export` copies it into the folder of a detector.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.fcos import FCOS, FCOSHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.retinanet import RetinaNet, RetinaNetHead
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.poolers import LevelMapper

CHANNELS = 64
"""Width of the feature pyramid network and of the head."""
CONVOLUTIONS = 2
"""Convolutions of each branch of FCOS's head; torchvision's default of 4 is for 256 channels and long training."""
MOST_BOXES = 100
"""Largest number of predicted boxes of an image, as in COCO's evaluation."""
LOWEST_SCORE = 0.05
OVERLAP = 0.5
"""Of two boxes of one class that overlap more, the one with the lower score is removed."""
RETINANET_SCALES = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
RATIOS = (0.5, 1.0, 2.0)
"""Height by width of the anchors of RetinaNet and Faster R-CNN."""
ANCHOR = 4
"""Side of the smallest anchor of RetinaNet and Faster R-CNN in strides of its level."""
PROPOSALS = 300
"""Proposals of an image that Faster R-CNN classifies, as in its paper's tests."""
SAMPLED = 128
"""Proposals of an image that Faster R-CNN's second stage is trained on, as in its paper."""
POOLED = 7
"""Side of the map that is read for each proposal."""
HIDDEN = 256
"""Width of Faster R-CNN's second stage; torchvision's 1,024 are for 256 channels."""

Boxes: TypeAlias = dict[str, Tensor]
"""Boxes of an image: `boxes` (n, 4), `labels` (n,) and, of predictions, `scores` (n,)."""


class PyramidDetector(nn.Module):
    """A feature pyramid network, and the part of a detector of torchvision that reads it."""

    def __init__(self, channels: Sequence[int], strides: Sequence[int], size: tuple[int, int]) -> None:
        """Takes channels and strides of the maps, and height and width of the images."""
        super().__init__()
        self.size = size
        self.norms = nn.ModuleList(nn.BatchNorm2d(count) for count in channels)
        self.pyramid = FeaturePyramidNetwork(list(channels), CHANNELS)
        # Levels of one stride, as those of a ViT, still look for objects of different sizes.
        self.sides = [stride * 2 ** list(strides[:i]).count(stride) for i, stride in enumerate(strides)]
        """Side in pixels of what each level looks for: its stride, or a multiple."""

    def features(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Returns the maps of the feature pyramid network, from the finest to the coarsest."""
        normed = [norm(x) for norm, x in zip(self.norms, maps, strict=True)]
        return list(self.pyramid(OrderedDict((str(i), x) for i, x in enumerate(normed))).values())

    def forward(self, maps: Sequence[Tensor]) -> dict[str, Any]:
        """Returns class scores and box offsets by name, from which `losses` and `boxes` are computed."""
        raise NotImplementedError

    def losses(self, found: Mapping[str, Any], targets: list[Boxes]) -> dict[str, Tensor]:
        """Returns torchvision's losses, each a mean over the objects or samples of the batch."""
        raise NotImplementedError

    def finite(self, found: Mapping[str, Any]) -> Tensor:
        """Returns whether all numbers of each image are finite, (B,) bool."""
        raise NotImplementedError

    def boxes(self, found: Mapping[str, Any]) -> list[Boxes]:
        """Returns the boxes of each image in pixels of the input, without those of low score and doubles."""
        raise NotImplementedError

    def _images(self, features: Sequence[Tensor]) -> ImageList:
        # The images themselves are not read: anchors depend on their sizes alone.
        count = len(features[0])
        return ImageList(features[0].new_empty((count, 3, *self.size)), [self.size] * count)


class OneStage(PyramidDetector):
    """torchvision's FCOS or RetinaNet: its head, losses and selection of boxes.

    FCOS: Tian et al. 2019, arXiv:1904.01355. RetinaNet: Lin et al. 2017, arXiv:1708.02002.
    """

    def __init__(
        self, kind: str, channels: Sequence[int], strides: Sequence[int], classes: int, size: tuple[int, int]
    ) -> None:
        super().__init__(channels, strides, size)
        make = _fcos if kind == "fcos" else _retinanet
        self.detector: FCOS | RetinaNet = make(self.sides, classes)

    def forward(self, maps: Sequence[Tensor]) -> dict[str, Any]:
        """Returns the outputs of the head, the anchors of each image and their number at each level."""
        features = self.features(maps)
        outputs = {name: _wide(x) for name, x in self.detector.head(features).items()}
        anchors = self.detector.anchor_generator(self._images(features), features)
        each = self.detector.anchor_generator.num_anchors_per_location()
        counts = [x.shape[-2] * x.shape[-1] * per for x, per in zip(features, each, strict=True)]
        return {"outputs": outputs, "anchors": anchors, "counts": counts}

    def losses(self, found: Mapping[str, Any], targets: list[Boxes]) -> dict[str, Tensor]:
        """Returns torchvision's losses, each a mean over the objects of the batch."""
        outputs, anchors = found["outputs"], found["anchors"]
        if isinstance(self.detector, FCOS):
            losses: dict[str, Tensor] = self.detector.compute_loss(targets, outputs, anchors, found["counts"])
            return losses
        return dict(self.detector.compute_loss(targets, outputs, anchors))

    def finite(self, found: Mapping[str, Any]) -> Tensor:
        """Returns whether all outputs of each image are finite, (B,) bool."""
        return _all_finite(found["outputs"].values())

    def boxes(self, found: Mapping[str, Any]) -> list[Boxes]:
        """Returns the boxes of each image in pixels of the input, without those of low score and doubles."""
        counts = found["counts"]
        split = {name: list(x.split(counts, dim=1)) for name, x in found["outputs"].items()}
        anchors = [list(of_image.split(counts)) for of_image in found["anchors"]]
        sizes = [self.size] * len(anchors)
        chosen: list[Boxes] = self.detector.postprocess_detections(split, anchors, sizes)
        return chosen


class TwoStages(PyramidDetector):
    """torchvision's Faster R-CNN: a network that proposes regions, and one that classifies and refines them.

    Its second stage is trained on a sample of proposals that depends on the targets, so that all but the features is
    computed where the losses or the boxes are. Ren et al. 2015, arXiv:1506.01497, with the pyramid of Lin et al. 2017.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], classes: int, size: tuple[int, int]) -> None:
        super().__init__(channels, strides, size)
        count = len(self.sides)
        anchors = AnchorGenerator(tuple((ANCHOR * side,) for side in self.sides), (RATIOS,) * count)
        before, after = {"training": 2000, "testing": 1000}, {"training": PROPOSALS, "testing": PROPOSALS}
        proposing = RPNHead(CHANNELS, len(RATIOS))
        self.rpn = RegionProposalNetwork(anchors, proposing, 0.7, 0.3, 256, 0.5, before, after, 0.7)
        self.names = [str(i) for i in range(count)]
        pool = MultiScaleRoIAlign(self.names, POOLED, sampling_ratio=2)
        # torchvision takes strides to be powers of two, and one level for each: patches of 14 pixels are not.
        first = round(math.log2(self.sides[0]))
        pool.scales = [1.0 / stride for stride in strides]
        pool.map_levels = LevelMapper(first, first + count - 1)
        box_head = TwoMLPHead(CHANNELS * POOLED**2, HIDDEN)
        # Class 0 is no object.
        predictor = FastRCNNPredictor(HIDDEN, classes + 1)
        self.roi_heads = RoIHeads(
            pool, box_head, predictor, 0.5, 0.5, SAMPLED, 0.25, None, LOWEST_SCORE, OVERLAP, MOST_BOXES
        )

    def forward(self, maps: Sequence[Tensor]) -> dict[str, Any]:
        """Returns the features that both stages read."""
        return {"features": [_wide(x) for x in self.features(maps)]}

    def losses(self, found: Mapping[str, Any], targets: list[Boxes]) -> dict[str, Tensor]:
        """Returns the two losses of each stage, means over the samples of the batch."""
        features = OrderedDict(zip(self.names, found["features"], strict=True))
        images = self._images(found["features"])
        shifted = [{**of_image, "labels": of_image["labels"] + 1} for of_image in targets]
        with _in_full(images.tensors), self._sampling(True):
            proposals, first = self.rpn(images, features, shifted)
            _, second = self.roi_heads(features, proposals, images.image_sizes, shifted)
        return {**first, **second}

    def finite(self, found: Mapping[str, Any]) -> Tensor:
        """Returns whether all features of each image are finite, (B,) bool."""
        return _all_finite(found["features"])

    def boxes(self, found: Mapping[str, Any]) -> list[Boxes]:
        """Returns the boxes of each image in pixels of the input; NaN if an output of a stage is not finite."""
        features = OrderedDict(zip(self.names, found["features"], strict=True))
        images, heads = self._images(found["features"]), self.roi_heads
        with _in_full(images.tensors), self._sampling(False):
            proposals, _ = self.rpn(images, features)
            pooled = heads.box_roi_pool(features, proposals, images.image_sizes)
            logits, moves = heads.box_predictor(heads.box_head(pooled))
            boxes, scores, labels = heads.postprocess_detections(logits, moves, proposals, images.image_sizes)
        # Proposals whose scores are NaN are dropped, and an image always has some otherwise.
        if not (min(map(len, proposals)) and torch.isfinite(logits).all() and torch.isfinite(moves).all()):
            none = features["0"].new_full((1, 4), torch.nan)
            return [{"boxes": none, "labels": none[:, 0] * 0, "scores": none[:, 0]}] * len(proposals)
        return [
            {"boxes": box, "labels": label - 1, "scores": score}
            for box, label, score in zip(boxes, labels, scores, strict=True)
        ]

    @contextmanager
    def _sampling(self, training: bool) -> Iterator[None]:
        """Lets both stages draw samples as in training, or not, whatever mode the rest of the model is in."""
        stages = (self.rpn, self.roi_heads)
        before = [stage.training for stage in stages]
        try:
            for stage in stages:
                stage.training = training
            yield
        finally:
            for stage, mode in zip(stages, before, strict=True):
                stage.training = mode


def detector(
    kind: str, channels: Sequence[int], strides: Sequence[int], classes: int, size: tuple[int, int]
) -> PyramidDetector:
    """Returns a detector with random weights.

    Args:
        kind: "fcos", "retinanet" or "faster-rcnn".
        channels: Of each map, from the finest to the coarsest.
        strides: Pixels of the image for each position of a map.
        classes: Number of classes.
        size: Height and width of the images.
    """
    if kind == "faster-rcnn":
        return TwoStages(channels, strides, classes, size)
    return OneStage(kind, channels, strides, classes, size)


def rows_of(boxes: Sequence[Boxes]) -> list[Tensor]:
    """Returns the predicted boxes of each image, (n, 6): class, corners and score."""
    return [
        torch.cat([one["labels"][:, None].to(one["boxes"].dtype), one["boxes"], one["scores"][:, None]], dim=1)
        for one in boxes
    ]


class _NoBackbone(nn.Module):
    """Stands for the backbone that torchvision's detectors ask for; the maps come from elsewhere."""

    out_channels = CHANNELS


_COMMON = {"score_thresh": LOWEST_SCORE, "nms_thresh": OVERLAP, "detections_per_img": MOST_BOXES}


def _fcos(sides: Sequence[int], classes: int) -> FCOS:
    anchors = AnchorGenerator(tuple((side,) for side in sides), ((1.0,),) * len(sides))
    head = FCOSHead(CHANNELS, 1, classes, num_convs=CONVOLUTIONS)
    return FCOS(_NoBackbone(), classes, anchor_generator=anchors, head=head, **_COMMON)


def _retinanet(sides: Sequence[int], classes: int) -> RetinaNet:
    sizes = tuple(tuple(round(ANCHOR * side * scale) for scale in RETINANET_SCALES) for side in sides)
    anchors = AnchorGenerator(sizes, (RATIOS,) * len(sides))
    head = RetinaNetHead(CHANNELS, anchors.num_anchors_per_location()[0], classes)
    return RetinaNet(_NoBackbone(), classes, anchor_generator=anchors, head=head, **_COMMON)


def _wide(x: Tensor) -> Tensor:
    """Returns numbers in fp32, for which bf16 is too coarse; fp64 stays."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _in_full(x: Tensor) -> torch.autocast:
    return torch.autocast(x.device.type, enabled=False)


def _all_finite(parts: Any) -> Tensor:
    return torch.stack([torch.isfinite(x).flatten(1).all(1) for x in parts]).all(0)
