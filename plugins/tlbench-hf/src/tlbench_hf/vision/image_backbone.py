"""Image models of transformers as backbones. Light: transformers is imported to load or featurize only."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlbench import Backbone, Card, Examples, Output, UsageError
from tlbench.contracts.exports.forms import Exportable, ExportedFiles
from tlbench_hf.foreign_files import read_settings
from tlbench_hf.model_card import datasets_in
from tlbench_hf.sources import content, fetched_folder, held_folder, local_folder, missing_source

if TYPE_CHECKING:
    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Encoder

READOUTS: Mapping[str, str] = {
    **dict.fromkeys("deit dinov2 dinov2_with_registers dinov3_vit vit vit_msn".split(), "first"),
    **dict.fromkeys("ijepa swin swinv2".split(), "mean"),
    # These families normalise the pooled vector once more, with weights that were trained for it.
    **dict.fromkeys("beit convnext convnextv2 data2vec-vision".split(), "pooler"),
}
"""Default readout of the families that are image encoders."""


@dataclass(frozen=True)
class HFVision(Backbone):
    """An image encoder of transformers with its image processor."""

    name: str
    source: str
    """A hub repository, or an absolute folder."""
    revision: str | None = None
    """A commit of the repository, or a digest of the folder."""
    readout: str | None = None
    """"mean" over positions, "first" token, or the model's own "pooler"; None for the default of its family."""

    modality = "image"
    gives_maps = True

    def __post_init__(self) -> None:
        if self.readout is not None and self.readout not in ("mean", "first", "pooler"):
            raise UsageError(f"{self.name}: no readout {self.readout!r}; choose mean, first or pooler")

    def card(self) -> Card:
        """Returns the metadata in the configuration and the weight files' headers, without loading weights.

        For a model that is not on this machine, the card has little more than the source and revision.
        """
        from tlbench_hf.cards import read_card

        unloaded = Card(source=self.source, revision=self.revision or "")
        try:
            folder = local_folder(self.source, self.revision)
        except UsageError:
            # A card is shown in lists, where a model that cannot be used must not stop the others.
            folder = None
        if folder is None:
            return dataclasses.replace(unloaded, on_disk=False)
        config = read_config(folder)
        read = read_card(folder, None, pooler=self._readout(config) == "pooler")
        depths, widths = config.get("depths"), config.get("hidden_sizes")
        # Hierarchical models (Swin, ConvNeXt) list blocks and widths per stage; the last width is the output's.
        return dataclasses.replace(
            read,
            stages=sum(depths) if depths else read.stages,
            width=widths[-1] if widths else read.width,
            source=unloaded.source,
            revision=unloaded.revision,
            positions=_patches(config),
            image_side=side if isinstance(side := config.get("image_size"), int) else None,
            trained_on=datasets_in(folder),
        )

    def missing(self) -> str | None:
        """Returns a message that says which files are missing and how to get them, or None."""
        return missing_source(self.name, self.source, self.revision)

    def load(self, *, pretrained: bool = True) -> Encoder:
        """Returns a new staged encoder; if not `pretrained`, its random weights come from torch's global generator.

        Raises:
            UsageError: The model is not on this machine and cannot be fetched.
            PluginError: A tensor of the encoder did not load.
        """
        from tlbench_hf.loading import load_encoder
        from tlbench_hf.vision.image_pixels import convention_for, find_blocks, load_processor

        folder = fetched_folder(self.source, self.revision)
        readout = self._readout(read_config(folder))
        return load_encoder(
            folder,
            title=self.name,
            content=content(self.source, self.revision, folder) if pretrained else None,
            depth=None,
            readout=readout,
            convention=convention_for(load_processor(folder).size),
            find=find_blocks,
        )

    def save(self, encoder: Encoder, folder: Path) -> str:
        """Writes the model and its image processor as a transformers folder, and returns the name `hf:<folder>`."""
        from tlbench_hf.loading import save_model

        save_model(encoder.native, fetched_folder(self.source, self.revision), folder)
        return f"hf:{folder}" + (f"[readout={self.readout}]" if self.readout else "")

    def export(self, model: Exportable, output: Output, folder: Path) -> ExportedFiles:
        """Writes a fitted model as a folder of transformers, with its head where a class of transformers has it.

        Raises:
            UsageError: transformers has no form for this model.
        """
        from tlbench_hf.exports.image_export import export_image

        return export_image(model, output, fetched_folder(self.source, self.revision), folder)

    def fetch(self) -> None:
        """Downloads the repository's files to the local hub cache.

        Raises:
            UsageError: The files cannot be downloaded, or no revision is given.
        """
        fetched_folder(self.source, self.revision)

    def featurize(self, examples: Examples, output: Output) -> Data:
        """Returns one row of pixels per example, resized and cropped by the folder's image processor.

        Raises:
            PluginError: The inputs are not one image per example.
            DataError: An image cannot be read.
        """
        from tlbench_hf.vision.image_pixels import featurize

        return featurize(examples, output, fetched_folder(self.source, self.revision))

    def _readout(self, config: Mapping[str, Any]) -> str:
        return self.readout or READOUTS[str(config.get("model_type"))]


def is_vision(source: str, revision: str | None) -> bool:
    """Returns whether a source on this machine is an image encoder of a known family."""
    try:
        folder = held_folder(source, revision)
        return folder is not None and read_config(folder).get("model_type") in READOUTS
    # The error is raised again, with its message, when the model is loaded.
    except (UsageError, ValueError):
        return False


def read_config(folder: Path) -> dict[str, Any]:
    """Returns the folder's config.json."""
    config: dict[str, Any] = read_settings(folder, "config.json")
    return config


def _patches(config: Mapping[str, Any]) -> int | None:
    """Returns the number of positions (patches and one class token), or None for models without patches."""
    size, patch = config.get("image_size"), config.get("patch_size")
    return (size // patch) ** 2 + 1 if isinstance(size, int) and isinstance(patch, int) and patch else None
