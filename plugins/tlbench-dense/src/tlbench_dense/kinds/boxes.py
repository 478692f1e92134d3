"""Object detection as a kind of output: boxes of objects, each with a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tlbench import Example, Output, PluginError, Predictions, UsageError
from tlbench_dense.standalone.box_texts import Box, numbers_in, target_text

if TYPE_CHECKING:
    from tlbench import Card
    from tlbench.contracts.fits.class_scores import ClassReport
    from tlbench.contracts.kinds.head_size import HeadSize
    from tlbench.metrics.scored import Scored
    from tlbench.modeling.encoder import Encoder
    from tlbench.modeling.heads import Head

Detector = Literal["fcos", "retinanet", "faster-rcnn"]
"""The head: torchvision's FCOS (Tian et al. 2019), RetinaNet (Lin et al. 2017) or Faster R-CNN (Ren et al. 2015)."""
_SLACK = 0.01
"""A box may be outside of its image by so many pixels, from rounding."""

_FEW = 1e-3
"""Share of boxes on which rounding may decide."""


@dataclass(frozen=True)
class Boxes(Output):
    """Object detection. A target is a tuple of `Box`es, empty for an image without objects.

    Predictions are texts (`box_texts`) of at most 100 boxes with classes and scores, in pixels of the image.
    """

    names: tuple[str, ...]
    decoder: Detector = "fcos"
    has_pictures: bool = True
    """Whether records keep pictures of a few test images."""

    kind: ClassVar[str] = "boxes"
    answers: ClassVar[Literal["texts"]] = "texts"
    reads: ClassVar[Literal["map"]] = "map"
    stratified_by: ClassVar[str] = "rarest class"
    hub_task: ClassVar[str] = "object-detection"
    predicted: ClassVar[str] = "a box around each object and its class"

    def __post_init__(self) -> None:
        if not self.names:
            raise UsageError("detection is of objects of at least one class; there are no names")

    @property
    def classes(self) -> tuple[str, ...]:
        """The names, in index order."""
        return self.names

    def target_error(self, example: Example) -> str | None:
        """Returns why the target is no tuple of boxes within the image, or None."""
        target = example.target
        if not isinstance(target, tuple | list) or not all(isinstance(box, Box) for box in target):
            return "no target" if target is None else f"{target!r:.60} is no tuple of boxes"
        size = getattr(example.inputs[0], "size", None)
        for box in target:
            if not isinstance(box.label, int) or not 0 <= box.label < len(self.names):
                return f"a box has the class {box.label!r}, and classes are from 0 to {len(self.names) - 1}"
            if box.fault:
                return box.fault
            if size is not None and not _is_within(box, size):
                corner = f"({box.right:g}, {box.bottom:g})"
                return f"the box that ends at {corner} is outside of the image of {size[0]}x{size[1]} pixels"
        return None

    def class_indices(self, target: Any) -> set[int]:
        """Returns the classes of the boxes."""
        return {box.label for box in target}

    def arrays(self, targets: Sequence[Any], predictions: Predictions) -> tuple[Any, Any]:
        """Returns targets (N,), each a tuple of one text, and predictions (N,), texts.

        Raises:
            PluginError: A prediction encodes no boxes; the message names the example.
        """
        from tlbench.metrics.scored import objects

        for name, value in zip(predictions.ids, predictions.values, strict=True):
            try:
                rows = numbers_in(value)
            except (TypeError, ValueError) as error:
                raise PluginError(f"{name}: {error}") from error
            if len(rows) and not (rows[:, 0] == rows[:, 0].astype(int)).all():
                raise PluginError(f"{name}: a class in {value!r:.60} is no whole number")
        return objects([(target_text(t),) for t in targets]), objects([str(value) for value in predictions.values])

    def view(self, encoder: Encoder) -> Encoder:
        """Returns the encoder with maps of several of its stages as its output; one that gives its own stays."""
        from tlbench_dense.pyramid.feature_maps import feature_maps

        return encoder if getattr(encoder, "gives_own_maps", False) else feature_maps(encoder)

    def head(self, encoder: Encoder) -> Head:
        """Returns a new head of torchvision over the maps.

        Raises:
            PluginError: The encoder gives no maps.
        """
        from tlbench_dense.detection.detector_head import DetectorHead

        return DetectorHead(encoder, self)

    def differing(self, found: Sequence[Any], own: Sequence[Any]) -> str:
        """Returns how many boxes have no counterpart, if it is more than one in 1,000.

        A counterpart has the same class, corners within 0.02 pixels (texts round to 0.01), and a score within 1e-5.
        Where scores are equal to rounding, at the lowest score and at the limit of overlap, rounding decides.
        """
        from tlbench_dense.detection.box_differences import unmatched

        pairs = [(numbers_in(one), numbers_in(other)) for one, other in zip(found, own, strict=True)]
        count, total = sum(unmatched(*pair) for pair in pairs), sum(len(a) + len(b) for a, b in pairs)
        return f"{count:,} of {total:,} boxes differ" if count > max(1, total * _FEW) else ""

    def head_size(self, card: Card) -> HeadSize:
        """Returns the head's parameters and activations, for the estimate of memory."""
        from tlbench_dense.kinds.head_sizes import box_head_size

        return box_head_size(card, len(self.names), self.decoder)

    def report(self, seeds: Sequence[Scored]) -> ClassReport:
        """Returns precision and recall of each class at an overlap of 0.5 and the score with the best F1."""
        from tlbench_dense.scoring.box_report import box_report

        return box_report(self.names, seeds)

    def picture(self, example: Example, target: Any, prediction: Any) -> bytes | None:
        """Returns the image with its boxes, and with the predicted ones, as JPEG; None if there are to be none."""
        if not self.has_pictures:
            return None
        from tlbench_dense.scoring.pictures import box_picture

        return box_picture(example.inputs[0], target[0], prediction, self.names)


def _is_within(box: Box, size: tuple[int, int]) -> bool:
    return min(box.left, box.top) >= -_SLACK and box.right <= size[0] + _SLACK and box.bottom <= size[1] + _SLACK
