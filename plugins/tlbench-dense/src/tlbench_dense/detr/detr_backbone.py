"""Detectors of the DETR family as backbones for tasks with boxes. Light: transformers is imported to load alone."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tlbench import Backbone, Card, Examples, Output, UsageError
from tlbench_dense.detr.processor_settings import processor_settings
from tlbench_dense.kinds.boxes import Boxes

if TYPE_CHECKING:
    from tlbench.contracts.exports.forms import Exportable, ExportedFiles
    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Encoder
    from tlbench.modeling.heads import Head

SCHEME = "detr:"
FAMILIES = ("conditional_detr", "d_fine", "deformable_detr", "detr", "rt_detr", "rt_detr_v2")
"""Families of transformers whose backbone gives a list of maps, which the rest of the model reads."""
DEFAULT_SIDE = 640
SMALLEST = 32
_BACKBONE = re.compile(r"^model\.backbone\.")


@dataclass(frozen=True)
class DetrBackbone(Backbone):
    """A detector of the DETR family: its convolutional backbone is the encoder, and its transformer is the head.

    So the maps of a frozen backbone are computed once, and the transformer, which begins with its own pretrained
    weights, is always trained, as the decoder of a text-to-text model is. Layers for classes are new, unless the
    checkpoint has as many classes as the task.
    """

    name: str
    source: str
    """An absolute folder, or a hub repository."""
    revision: str | None = None
    """A digest of the folder, or a commit of the repository."""
    size: int = 0
    """Side of the images in pixels, each side of which is resized on its own; 0 for the processor's own, or 640."""

    modality = "image"
    paper = "Carion et al. 2020, arXiv:2005.12872; Zhao et al. 2023, arXiv:2304.08069 (RT-DETR)"
    gives_maps: ClassVar[bool] = True
    imports: ClassVar[tuple[str, ...]] = ("transformers",)

    def __post_init__(self) -> None:
        if self.size and self.size < SMALLEST:
            raise UsageError(f"{self.name}: size is {self.size}, but must be at least {SMALLEST} pixels a side, or 0")

    def card(self) -> Card:
        """Returns the family, and the parameters in the headers of the weights: the backbone's, and the others."""
        from tlbench_hf.foreign_files import read_settings
        from tlbench_hf.sources import local_folder
        from tlbench_hf.weight_headers import stored_tensors

        try:
            folder = local_folder(self.source, self.revision)
        # A card is shown in lists, where a model that cannot be used must not stop the others.
        except UsageError:
            folder = None
        if folder is None:
            return Card(source=self.source, revision=self.revision or "", on_disk=False)
        config = read_settings(folder, "config.json")
        counts = [0, 0]
        for tensor in stored_tensors(folder):
            if tensor.dtype.startswith(("F", "BF")):
                counts[_BACKBONE.match(tensor.name) is None] += math.prod(tensor.shape)
        return Card(
            family=str(config.get("model_type", "")),
            parameters=counts[0],
            decoder_parameters=counts[1],
            stages=0,
            width=config.get("d_model") if isinstance(config.get("d_model"), int) else None,
            source=self.source,
            revision=self.revision or "",
            image_side=self.side(folder),
        )

    def missing(self) -> str | None:
        """Returns a message that says which files are missing and how to get them, or None."""
        from tlbench_hf.sources import missing_source

        return missing_source(self.name, self.source, self.revision)

    def supports(self, output: Output) -> str | None:
        """Returns why an output is not supported, or None for boxes."""
        if isinstance(output, Boxes):
            return None
        return f"{self.name} is a detector: it serves tasks with boxes alone, and {type(output).__name__} are no boxes"

    def load(self, *, pretrained: bool = True) -> Encoder:
        """Returns the detector's backbone as an encoder of one stage.

        Raises:
            UsageError: The model is not on this machine and cannot be fetched.
            PluginError: A tensor did not load.
        """
        from tlbench_dense.detr.detr_encoder import load_features

        folder = self._folder()
        return load_features(folder, self.name, self.side(folder), self._content(folder) if pretrained else None)

    def head(self, output: Output, encoder: Encoder) -> Head | None:
        """Returns the detector's transformer, with random weights if the encoder's are.

        Raises:
            PluginError: A tensor did not load.
        """
        from tlbench_dense.detr.detr_head import detr_head

        assert isinstance(output, Boxes)
        return detr_head(self._folder(), self.name, output, encoder)

    def featurize(self, examples: Examples, output: Output) -> Data:
        """Returns one row of pixels per image, resized without cropping.

        Raises:
            PluginError: The inputs are not one image per example.
            DataError: An image cannot be read.
        """
        from tlbench_dense.detr.detr_rows import featurize

        folder = self._folder()
        return featurize(examples, output, folder, self.side(folder))

    def export(self, model: Exportable, output: Output, folder: Path) -> ExportedFiles:
        """Writes the backbone of a fitted detector; its transformer is written as the head.

        Raises:
            UsageError: The model is no detector of this plugin.
        """
        from tlbench_dense.detr.detr_encoder import export_features

        source = self._folder()
        return export_features(model, source, self.side(source), folder, self.name)

    def fetch(self) -> None:
        """Downloads the repository's files to the local hub cache.

        Raises:
            UsageError: The files cannot be downloaded, or no revision is given.
        """
        self._folder()

    def side(self, folder: Path) -> int:
        """Returns the side of images in pixels."""
        if self.size:
            return self.size
        size = processor_settings(folder).get("size")
        sides = {size.get("height"), size.get("width")} if isinstance(size, dict) else set()
        side = next(iter(sides)) if len(sides) == 1 else None
        # Processors of DETR keep the aspect ratio of images, so that they have no side.
        return side if isinstance(side, int) and SMALLEST <= side <= 4096 else DEFAULT_SIDE

    def _folder(self) -> Path:
        from tlbench_hf.sources import fetched_folder

        return fetched_folder(self.source, self.revision)

    def _content(self, folder: Path) -> str:
        from tlbench_hf.sources import content

        return content(self.source, self.revision, folder)


def resolve_detr(name: str) -> DetrBackbone:
    """Returns the backbone of `detr:<folder>` or `detr:<repository>[@commit]`, pinned to its present content.

    Raises:
        UsageError: The folder is missing or has changed, or is no detector of a known family; tlbench-hf is missing.
    """
    try:
        from tlbench_hf.foreign_files import read_settings
        from tlbench_hf.sources import held_folder, pin
    except ModuleNotFoundError as error:
        raise UsageError(f"{SCHEME} needs tlbench-hf: pip install 'tlbench-dense[detr]'") from error
    try:
        source, revision = pin(name.removeprefix(SCHEME))
    except UsageError as error:
        raise UsageError(str(error).replace("hf:", SCHEME, 1)) from error
    held = held_folder(source, revision)
    family = read_settings(held, "config.json").get("model_type") if held else None
    if held and family not in FAMILIES:
        raise UsageError(f"{name}: the family {family!r:.40} is none of {', '.join(FAMILIES)}")
    return DetrBackbone(f"{SCHEME}{source}@{revision}", source, revision)
