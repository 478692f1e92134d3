"""torchvision's detectors over a pyramid of maps, without a backbone of their own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import FCOS, FCOSHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.retinanet import RetinaNet, RetinaNetHead
from torchvision.ops import FeaturePyramidNetwork

from tlbench_dense.kinds.box_texts import MOST_BOXES
from tlbench_dense.pyramid.feature_maps import Level

if TYPE_CHECKING:
    from tlbench_dense.kinds.boxes import Detector

CHANNELS = 64
"""Width of the feature pyramid network and of the head."""
CONVOLUTIONS = 2
"""Convolutions of each branch of the head; torchvision's default of 4 is for 256 channels and long training."""
LOWEST_SCORE = 0.05
OVERLAP = 0.5
"""Of two boxes of one class that overlap more, the one with the lower score is removed."""
RETINANET_SCALES = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
RETINANET_RATIOS = (0.5, 1.0, 2.0)
ANCHOR = 4
"""Side of RetinaNet's smallest anchor in strides of its level."""

Boxes: TypeAlias = dict[str, Tensor]
"""Boxes of an image: `boxes` (n, 4), `labels` (n,) and, of predictions, `scores` (n,)."""


class PyramidDetector(nn.Module):
    """A feature pyramid network and torchvision's FCOS or RetinaNet on it: their heads, losses and selection of boxes.

    FCOS: Tian et al. 2019, arXiv:1904.01355. RetinaNet: Lin et al. 2017, arXiv:1708.02002.
    """

    def __init__(self, kind: Detector, levels: Sequence[Level], classes: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self.norms = nn.ModuleList(nn.BatchNorm2d(level.shape[0]) for level in levels)
        self.pyramid = FeaturePyramidNetwork([level.shape[0] for level in levels], CHANNELS)
        # Levels of one stride, as those of a ViT, still look for objects of different sizes.
        sides = [
            level.stride * 2 ** sum(other.stride == level.stride for other in levels[:i])
            for i, level in enumerate(levels)
        ]
        self.detector = detector(kind, sides, classes)

    def forward(self, maps: Sequence[Tensor]) -> dict[str, Any]:
        """Returns the outputs of the head, the anchors of each image and their number at each level."""
        normed = [norm(x) for norm, x in zip(self.norms, maps, strict=True)]
        features = list(self.pyramid(OrderedDict((str(i), x) for i, x in enumerate(normed))).values())
        # The images themselves are not read: anchors depend on their sizes alone.
        images = ImageList(maps[0].new_empty((len(maps[0]), 3, *self.size)), [self.size] * len(maps[0]))
        outputs = self.detector.head(features)
        anchors = self.detector.anchor_generator(images, features)
        counts = [x.shape[-2] * x.shape[-1] * per for x, per in zip(features, self._anchors_each(), strict=True)]
        return {"outputs": outputs, "anchors": anchors, "counts": counts}

    def losses(self, found: Mapping[str, Any], targets: list[Boxes]) -> dict[str, Tensor]:
        """Returns torchvision's losses, each a mean over the objects of the batch."""
        outputs, anchors = found["outputs"], found["anchors"]
        if isinstance(self.detector, FCOS):
            losses: dict[str, Tensor] = self.detector.compute_loss(targets, outputs, anchors, found["counts"])
            return losses
        return dict(self.detector.compute_loss(targets, outputs, anchors))

    def boxes(self, found: Mapping[str, Any]) -> list[Boxes]:
        """Returns the boxes of each image in pixels of the input, without those of low score and doubles."""
        counts = found["counts"]
        split = {name: list(x.split(counts, dim=1)) for name, x in found["outputs"].items()}
        anchors = [list(of_image.split(counts)) for of_image in found["anchors"]]
        sizes = [self.size] * len(anchors)
        chosen: list[Boxes] = self.detector.postprocess_detections(split, anchors, sizes)
        return chosen

    def _anchors_each(self) -> list[int]:
        each: list[int] = self.detector.anchor_generator.num_anchors_per_location()
        return each


class _NoBackbone(nn.Module):
    """Stands for the backbone that torchvision's detectors ask for; the maps come from elsewhere."""

    out_channels = CHANNELS


def detector(kind: Detector, sides: Sequence[int], classes: int) -> FCOS | RetinaNet:
    """Returns torchvision's detector with a small head.

    Args:
        kind: "fcos" or "retinanet".
        sides: The side in pixels of what each level looks for: its stride, or a multiple.
        classes: Number of classes.
    """
    common = {"score_thresh": LOWEST_SCORE, "nms_thresh": OVERLAP, "detections_per_img": MOST_BOXES}
    if kind == "fcos":
        anchors = AnchorGenerator(tuple((side,) for side in sides), ((1.0,),) * len(sides))
        head = FCOSHead(CHANNELS, 1, classes, num_convs=CONVOLUTIONS)
        return FCOS(_NoBackbone(), classes, anchor_generator=anchors, head=head, **common)
    sizes = tuple(tuple(round(ANCHOR * side * scale) for scale in RETINANET_SCALES) for side in sides)
    anchors = AnchorGenerator(sizes, (RETINANET_RATIOS,) * len(sides))
    shapes = anchors.num_anchors_per_location()[0]
    wide = RetinaNetHead(CHANNELS, shapes, classes)
    return RetinaNet(_NoBackbone(), classes, anchor_generator=anchors, head=wide, **common)
