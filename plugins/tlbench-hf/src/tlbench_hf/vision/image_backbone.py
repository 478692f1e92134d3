"""An image model of transformers as a backbone. Light: the library is imported when it is asked for pixels."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlbench import Backbone, Card, Examples, Output, UsageError
from tlbench_hf.sources import content, fetched_folder, held_folder, local_folder

if TYPE_CHECKING:
    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Encoder

READOUTS: Mapping[str, str] = {
    **dict.fromkeys("deit dinov2 dinov2_with_registers dinov3_vit vit vit_msn".split(), "first"),
    **dict.fromkeys("ijepa swin swinv2".split(), "mean"),
    # What these families pool is normed once more, by weights that were trained with it.
    **dict.fromkeys("beit convnext convnextv2 data2vec-vision".split(), "pooler"),
}
"""How a vector is read off the families that are known to be encoders of images."""


@dataclass(frozen=True)
class HFVision(Backbone):
    """An image encoder of transformers, with its image processor."""

    name: str
    source: str
    """A repository on the hub, or an absolute folder."""
    revision: str | None = None
    """A commit of the repository, or a digest of the folder."""
    readout: str | None = None
    """"mean" over positions, "first" token, or the model's own "pooler"; None for what its family was trained with."""

    modality = "image"

    def __post_init__(self) -> None:
        if self.readout is not None and self.readout not in ("mean", "first", "pooler"):
            raise UsageError(f"{self.name}: no readout {self.readout!r}; there is mean, first, pooler")

    def card(self) -> Card:
        """Returns what configuration and weights say without being loaded; little if they are not on this machine."""
        from tlbench_hf.cards import read_card

        known = Card(source=self.source, revision=self.revision or "")
        try:
            folder = local_folder(self.source, self.revision)
        except UsageError:
            folder = None
        if folder is None:
            return dataclasses.replace(known, on_disk=False)
        config = read_config(folder)
        read = read_card(folder, None, pooler=self._readout(config) == "pooler")
        depths, widths = config.get("depths"), config.get("hidden_sizes")
        return dataclasses.replace(
            read,
            stages=sum(depths) if depths else read.stages,
            width=widths[-1] if widths else read.width,
            source=known.source,
            revision=known.revision,
            positions=_patches(config),
        )

    def load(self, *, pretrained: bool = True) -> Encoder:
        """Returns a fresh staged encoder; with random weights from torch's global generator if not `pretrained`.

        Raises:
            UsageError: The model is not here and cannot be fetched.
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

    def fetch(self) -> None:
        """Brings the files of a repository to the local hub cache.

        Raises:
            UsageError: They cannot be had, or nothing says which revision to fetch.
        """
        fetched_folder(self.source, self.revision)

    def featurize(self, examples: Examples, output: Output) -> Data:
        """Returns one row of pixels for each example, resized and cropped as the folder's image processor does.

        Raises:
            PluginError: Inputs that are not one image.
            DataError: An image that cannot be read.
        """
        from tlbench_hf.vision.image_pixels import featurize

        return featurize(examples, output, fetched_folder(self.source, self.revision))

    def _readout(self, config: Mapping[str, Any]) -> str:
        return self.readout or READOUTS[str(config.get("model_type"))]


def is_vision(source: str, revision: str | None) -> bool:
    """Says whether a source whose configuration is on this machine holds an encoder of images."""
    try:
        folder = held_folder(source, revision)
        return folder is not None and read_config(folder).get("model_type") in READOUTS
    except (UsageError, ValueError):  # whoever loads it says what is wrong with it
        return False


def read_config(folder: Path) -> dict[str, Any]:
    """Returns a folder's configuration as it is written."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config


def _patches(config: Mapping[str, Any]) -> int | None:
    size, patch = config.get("image_size"), config.get("patch_size")
    return (size // patch) ** 2 + 1 if isinstance(size, int) and isinstance(patch, int) and patch else None
