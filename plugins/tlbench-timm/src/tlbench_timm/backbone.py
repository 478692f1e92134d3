"""Image backbones that timm can run. Light: timm is imported when weights or pixels are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench import Backbone, Card, Examples, Output, UsageError
from tlbench_timm import sources

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Encoder

SMALLEST = 8
"""Pixels a side; less is a mistake."""


class ImageBackbone(Backbone):
    """An image encoder with timm's two methods, `forward_features` and `forward_head`.

    Subclass it as a frozen dataclass, and say where the weights are, how the module is built of them, and how images
    are prepared.
    """

    modality = "image"
    imports: ClassVar[tuple[str, ...]] = ("timm.models", "timm.data", "safetensors.torch")

    def data_config(self) -> Mapping[str, Any]:
        """Returns what timm's `create_transform` takes: input_size, crop_pct, crop_mode, interpolation, mean, std."""
        raise NotImplementedError

    def read(self) -> tuple[str, Mapping[str, Tensor]]:
        """Returns what names the pretrained weights, equal for equal weights, and the weights.

        Raises:
            UsageError: They are not here and cannot be fetched.
        """
        raise NotImplementedError

    def build(self, weights: Mapping[str, Tensor] | None) -> nn.Module:
        """Returns the module with these weights, or with random ones, without a classifier.

        Raises:
            PluginError: A tensor of the encoder is missing, left over or of another shape.
        """
        raise NotImplementedError

    def load(self, *, pretrained: bool = True) -> Encoder:
        """Returns a fresh staged encoder; with random weights from torch's global generator if not `pretrained`.

        Raises:
            UsageError: The weights are not here and cannot be fetched.
            PluginError: A tensor of the encoder did not load.
        """
        from tlbench_timm.loading import staged

        content, weights = self.read() if pretrained else (None, None)
        return staged(self.build(weights), self.name, self.data_config()["input_size"][1:], content)

    def featurize(self, examples: Examples, output: Output) -> Data:
        """Returns one row of pixels for each example: resized and cropped as timm does for evaluation.

        Raises:
            PluginError: Inputs that are not one image.
            DataError: An image that cannot be read.
        """
        from tlbench_timm.pixels import featurize

        return featurize(examples, output, self.data_config())


@dataclass(frozen=True)
class TimmBackbone(ImageBackbone):
    """A model of timm by its name there, with the weights that the hub has for it or that a file holds."""

    name: str
    architecture: str
    """As in `timm.list_models()`, with or without the tag of its weights."""
    revision: str | None = None
    """A commit of the repository on the hub."""
    weights: str | None = None
    """A safetensors file to take in place of the hub's; completed by a digest of its content, as <file>@<digest>."""
    size: int | None = None
    """Pixels a side of the images; None for what the weights were made for."""

    def __post_init__(self) -> None:
        if self.size is not None and self.size < SMALLEST:
            raise UsageError(f"{self.name}: size is {self.size}, but images have at least {SMALLEST} pixels a side")
        if self.weights is not None:
            object.__setattr__(self, "weights", sources.pinned_file(self.weights, self.name))

    def card(self) -> Card:
        """Returns what the headers of the weights say without being loaded; little if they are not here."""
        from tlbench_timm.cards import read_card

        return read_card(self.architecture, self.revision, self.weights, self.size)

    def fetch(self) -> None:
        """Brings the hub's weights to this machine.

        Raises:
            UsageError: They cannot be had.
        """
        if self.weights is None:
            sources.fetched_file(self.architecture, self.revision)

    def data_config(self) -> Mapping[str, Any]:
        """Returns timm's own settings for these weights, at the size asked for.

        Raises:
            UsageError: timm has no model of this name.
        """
        from tlbench_timm.loading import library_config

        return library_config(self.architecture, self.size)

    def read(self) -> tuple[str, Mapping[str, Tensor]]:
        """Returns the tensors of the file, classifier included, and the file's digest or the hub's commit."""
        from tlbench_timm.loading import read_tensors

        if self.weights is not None:
            path = sources.unchanged_file(self.weights, self.name)
            return f"timm:{self.architecture}@{self.weights.rpartition('@')[2]}", read_tensors(path, self.name)
        path = sources.fetched_file(self.architecture, self.revision)
        return f"timm:{self.architecture}@{sources.commit_of(path)}", read_tensors(path, self.name)

    def build(self, weights: Mapping[str, Tensor] | None) -> nn.Module:
        """Returns the library's model."""
        from tlbench_timm.loading import library_model

        return library_model(self.architecture, weights, self.size, self.name)
