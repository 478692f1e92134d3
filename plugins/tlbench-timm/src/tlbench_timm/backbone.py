"""Image backbones that follow timm's interface. Light: timm and torch are imported to load or featurize only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench import Backbone, Card, Examples, Output, UsageError
from tlbench.catalog.names import quoted
from tlbench.contracts.exports.forms import Exportable, ExportedFiles
from tlbench_timm import sources
from tlbench_timm.exports.network_recipe import NetworkRecipe

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Encoder

SMALLEST = 8
"""Minimum side length of an image in pixels; a smaller size is refused, because it is probably a typo."""


class ImageBackbone(Backbone):
    """Base class of image encoders with timm's methods `forward_features` and `forward_head`.

    Subclasses are frozen dataclasses that implement `data_config`, `read` and `build`.
    """

    modality = "image"
    gives_maps: ClassVar[bool] = True
    imports: ClassVar[tuple[str, ...]] = ("timm.models", "timm.data", "safetensors.torch")

    def data_config(self) -> Mapping[str, Any]:
        """Returns the arguments of timm's `create_transform`.

        The arguments are input_size, crop_pct, crop_mode, interpolation, mean and std.
        """
        raise NotImplementedError

    def read(self) -> tuple[str, Mapping[str, Tensor]]:
        """Returns an identifier of the pretrained weights, equal for equal weights, and the tensors by name.

        Raises:
            UsageError: The weights are not on this machine and cannot be fetched.
        """
        raise NotImplementedError

    def build(self, weights: Mapping[str, Tensor] | None) -> nn.Module:
        """Returns the module without a classifier, with the given weights; None means random weights.

        Raises:
            PluginError: A tensor of the encoder is missing, unexpected or of another shape.
        """
        raise NotImplementedError

    def recipe(self) -> NetworkRecipe | None:
        """Returns how the network is built if timm registers no model of it; by default None."""
        return None

    def load(self, *, pretrained: bool = True) -> Encoder:
        """Returns a new staged encoder; if not `pretrained`, its random weights come from torch's global generator.

        Raises:
            UsageError: The weights are not on this machine and cannot be fetched.
            PluginError: A tensor of the encoder did not load.
        """
        from tlbench_timm.loading import staged

        content, weights = self.read() if pretrained else (None, None)
        return staged(self.build(weights), self.name, self.data_config()["input_size"][1:], content)

    def export(self, model: Exportable, output: Output, folder: Path) -> ExportedFiles:
        """Writes a fitted model as a folder of timm, with a linear head as its classifier.

        Raises:
            UsageError: timm has no form for this model.
        """
        from tlbench_timm.exports.timm_export import export_image

        return export_image(model, output, folder, self.data_config(), self.recipe(), self.name)

    def featurize(self, examples: Examples, output: Output) -> Data:
        """Returns one row of pixels per example, resized and cropped by timm's evaluation transform.

        Raises:
            PluginError: The inputs are not one image per example.
            DataError: An image cannot be read.
        """
        from tlbench_timm.pixels import featurize

        return featurize(examples, output, self.data_config())


@dataclass(frozen=True)
class TimmBackbone(ImageBackbone):
    """A timm model, chosen by its name, with weights from the hub or from a local file."""

    name: str
    architecture: str
    """Name as in `timm.list_models()`, with or without the tag of its weights."""
    revision: str | None = None
    """Commit of the weights' repository on the hub."""
    weights: str | None = None
    """A safetensors file to load instead of the hub's weights; stored as "<file>@<digest>" to pin its content."""
    size: int | None = None
    """Side length of the images in pixels; None for the size that the weights were trained on."""

    def __post_init__(self) -> None:
        if self.size is not None and self.size < SMALLEST:
            raise UsageError(f"{self.name}: size is {self.size}, but must be at least {SMALLEST} pixels a side")
        if self.weights is not None:
            # The digest must be part of the field, because the fields identify the results of this backbone. This is
            # the only way to set a field of a frozen dataclass.
            object.__setattr__(self, "weights", sources.pinned_file(self.weights, self.name))

    def card(self) -> Card:
        """Returns the metadata in the header of the weights, without loading them.

        If the weights are not on this machine, most fields are empty.
        """
        from tlbench_timm.cards import read_card

        return replace(read_card(self.architecture, self.revision, self.weights, self.size), image_side=self.size)

    def missing(self) -> str | None:
        """Returns a message that says which weights are missing and how to get them, or None.

        If the name has no tag, only timm itself can tell which weights it means, so they count as present.
        """
        if self.card().on_disk or (self.weights is None and "." not in self.architecture):
            return None
        if self.weights is not None:
            return f"{self.name}: {self.weights.rpartition('@')[0]} is missing or has changed"
        if self.revision is not None:
            return super().missing()
        return (
            f"{self.name} is not in the local hub cache: pin what to fetch, as timm:{self.architecture}@<commit>, "
            f"or give timm:{self.architecture}[weights=<file.safetensors>]"
        )

    def fetch(self) -> None:
        """Downloads the hub's weights to this machine; does nothing for a local file.

        Raises:
            UsageError: The weights cannot be downloaded.
        """
        if self.weights is None:
            sources.fetched_file(self.architecture, self.revision)

    def save(self, encoder: Encoder, folder: Path) -> str:
        """Writes the weights as safetensors, and returns the name `timm:<architecture>[weights=<file>]`."""
        from safetensors.torch import save_file

        file = folder / "model.safetensors"
        tensors = encoder.native.state_dict()
        save_file({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, file)
        size = f"size={self.size}," if self.size is not None else ""
        return f"timm:{self.architecture}[{size}weights={quoted(str(file))}]"

    def data_config(self) -> Mapping[str, Any]:
        """Returns timm's data config for these weights, at the chosen size.

        Raises:
            UsageError: timm has no model of this name.
        """
        from tlbench_timm.loading import library_config

        return library_config(self.architecture, self.size)

    def read(self) -> tuple[str, Mapping[str, Tensor]]:
        """Returns an identifier (the file's digest or the hub's commit) and all tensors, the classifier's included.

        Raises:
            UsageError: The weights are not on this machine and cannot be fetched, or the file has changed.
        """
        from tlbench_timm.loading import read_tensors

        if self.weights is not None:
            path = sources.unchanged_file(self.weights, self.name)
            return f"timm:{self.architecture}@{self.weights.rpartition('@')[2]}", read_tensors(path, self.name)
        path = sources.fetched_file(self.architecture, self.revision)
        return f"timm:{self.architecture}@{sources.commit_of(path)}", read_tensors(path, self.name)

    def build(self, weights: Mapping[str, Tensor] | None) -> nn.Module:
        """Returns timm's model without its classifier.

        Raises:
            PluginError: A tensor of the encoder is missing, unexpected or of another shape.
        """
        from tlbench_timm.loading import library_model

        return library_model(self.architecture, weights, self.size, self.name)
