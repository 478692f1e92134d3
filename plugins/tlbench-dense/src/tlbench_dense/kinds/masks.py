"""Semantic segmentation as a kind of output: a class for each pixel of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tlbench import Example, Output, PluginError, Predictions, UsageError
from tlbench_dense.standalone.class_runs import classes_in, decoded, size_of

if TYPE_CHECKING:
    from tlbench import Card
    from tlbench.contracts.fits.class_scores import ClassReport
    from tlbench.contracts.kinds.head_size import HeadSize
    from tlbench.contracts.outputs import Region
    from tlbench.metrics.scored import Scored
    from tlbench.modeling.encoder import Encoder
    from tlbench.modeling.heads import Head

MapDecoder = Literal["linear", "fpn"]
"""The head over the pyramid: a linear layer at each level, or a small feature pyramid network, as UperNet's."""

_FEW = 1e-5
"""Share of pixels whose two best classes may be equal to rounding."""


@dataclass(frozen=True)
class Masks(Output):
    """Semantic segmentation: the class of each pixel. A target is the text of a map (`class_runs.encoded`).

    A map has the size of its image. Pixels of the class 255 are ignored in training and in metrics.
    """

    names: tuple[str, ...]
    decoder: MapDecoder = "linear"
    window: int = 0
    """Side in pixels of the square windows that an image is cut into, each of which is resized to the size that the
    backbone reads; 0 for the whole image. Windows overlap by at least a third, and their probabilities are averaged."""
    has_pictures: bool = True
    """Whether records keep pictures of a few test images."""

    kind: ClassVar[str] = "masks"
    answers: ClassVar[Literal["texts"]] = "texts"
    reads: ClassVar[Literal["map"]] = "map"
    stratified_by: ClassVar[str] = "rarest class"
    hub_task: ClassVar[str] = "image-segmentation"
    predicted: ClassVar[str] = "the class of each pixel"

    def __post_init__(self) -> None:
        if not 2 <= len(self.names) <= 255:
            raise UsageError(f"segmentation is into 2 to 255 classes; there are {len(self.names)}")
        if self.window and self.window < 8:
            raise UsageError(f"window={self.window}: choose at least 8 pixels, or 0 for the whole image")

    @property
    def classes(self) -> tuple[str, ...]:
        """The names, in index order."""
        return self.names

    def target_error(self, example: Example) -> str | None:
        """Returns why the target is no map of the size of its image with classes below the number of names, or None."""
        if not isinstance(example.target, str):
            return "no target" if example.target is None else f"{example.target!r:.60} is no encoded map of classes"
        try:
            height, width = size_of(example.target)
            unknown = [index for index in classes_in(example.target) if index >= len(self.names)]
        except ValueError as error:
            return str(error)
        if unknown:
            return f"a pixel has the class {unknown[0]}, and there are {len(self.names)}"
        size = getattr(example.inputs[0], "size", None)
        if size is not None and size != (width, height):
            return f"the map has {width}x{height} pixels and the image {size[0]}x{size[1]}"
        return None

    def class_indices(self, target: Any) -> set[int]:
        """Returns the classes that have a pixel."""
        return set(classes_in(target))

    def regions(self, width: int, height: int) -> Sequence[Region]:
        """Returns the windows of an image, or the whole image."""
        from tlbench_dense.standalone.image_windows import windows

        return windows(width, height, self.window)

    def arrays(self, targets: Sequence[Any], predictions: Predictions) -> tuple[Any, Any]:
        """Returns targets (N,), each a tuple of one encoded map, and predictions (N,), encoded maps.

        Raises:
            PluginError: A prediction is no map of the size of its target; the message names the example.
        """
        from tlbench.metrics.scored import objects

        for name, target, value in zip(predictions.ids, targets, predictions.values, strict=True):
            # No answer at all, which metrics count as a class that does not exist.
            if value == "":
                continue
            try:
                fits = size_of(value) == size_of(target)
            except (TypeError, ValueError) as error:
                raise PluginError(f"{name}: {error}") from error
            if not fits:
                raise PluginError(f"{name}: the prediction is a map of another size than the target")
        return objects([(target,) for target in targets]), objects([str(value) for value in predictions.values])

    def view(self, encoder: Encoder) -> Encoder:
        """Returns the encoder with maps of several of its stages as its output."""
        from tlbench_dense.pyramid.feature_maps import feature_maps

        return feature_maps(encoder)

    def head(self, encoder: Encoder) -> Head:
        """Returns a new head of the chosen form.

        Raises:
            PluginError: The encoder gives no maps.
        """
        from tlbench_dense.map_heads.map_head import MapHead

        return MapHead(encoder, self)

    def differing(self, found: Sequence[Any], own: Sequence[Any]) -> str:
        """Returns how many pixels differ, if more than one in 100,000 do: rounding decides between equal classes."""
        import numpy as np

        pairs = [(decoded(one), decoded(other)) for one, other in zip(found, own, strict=True)]
        if any(one.shape != other.shape for one, other in pairs):
            return "a map has another size"
        count, total = sum(int(np.sum(a != b)) for a, b in pairs), sum(a.size for a, _ in pairs)
        return f"{count:,} of {total:,} pixels differ" if count > max(1, total * _FEW) else ""

    def head_size(self, card: Card) -> HeadSize:
        """Returns the head's parameters and activations, for the estimate of memory."""
        from tlbench_dense.kinds.head_sizes import map_head_size

        return map_head_size(card, len(self.names), self.decoder)

    def report(self, seeds: Sequence[Scored]) -> ClassReport:
        """Returns precision, recall and F1 (Dice) of the pixels of each class, and the confusion matrix of pixels."""
        from tlbench_dense.scoring.pixel_counts import pixel_report

        return pixel_report(self.names, seeds)

    def picture(self, example: Example, target: Any, prediction: Any) -> bytes | None:
        """Returns the image, its target and its prediction side by side, as JPEG; None if there are to be none."""
        if not self.has_pictures:
            return None
        from tlbench_dense.scoring.pictures import map_picture

        return map_picture(example.inputs[0], target[0], prediction)
