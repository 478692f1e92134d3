"""Small backbones pretrained on rendered fractals; their weights are part of the package."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlbench import Card, UsageError
from tlbench_timm.backbone import SMALLEST, ImageBackbone

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tlbench.modeling.encoder import Encoder

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class FractalBackbone(ImageBackbone):
    """A small timm model pretrained to classify iterated function systems; it has seen no natural image."""

    name: str
    size: int = 64
    """Side length of the images in pixels; the transformer accepts only the size that it was pretrained on."""
    random: int | None = None
    """Seed of random weights to use instead of the pretrained ones, as a baseline for probes."""

    paper = "Kataoka et al. 2020, arXiv:2101.08515; Anderson & Farrell 2022, arXiv:2110.03091"

    def __post_init__(self) -> None:
        if self.size < SMALLEST:
            raise UsageError(f"{self.name}: size is {self.size}, but must be at least {SMALLEST} pixels a side")
        if "vit" in self.name and self.size != type(self).size:
            raise UsageError(
                f"{self.name}: size is {self.size}, but its position embeddings are for {type(self).size} pixels: "
                "leave size out"
            )

    @property
    def file(self) -> Path:
        """Path of the weights."""
        return WEIGHTS / f"{self.name}.safetensors"

    def card(self) -> Card:
        """Returns the metadata in the header of the weights."""
        header = _header(self.file)
        recipe: dict[str, Any] = json.loads(header["__metadata__"]["recipe"])
        return Card(
            family=recipe["architecture"].removeprefix("test_"),
            parameters=sum(math.prod(entry["shape"]) for name, entry in header.items() if _is_weight(name)),
            width=96 if "resnet" in self.name else 64,
            stages=4 if "resnet" in self.name else 6,
            licence="Apache-2.0",
            pretraining_data="" if self.random is not None else _pretraining_data(recipe),
            source="tlbench-timm",
            revision=header["__metadata__"]["recipe_digest"],
            image_side=self.size,
            maps=((4, 32), (8, 48), (16, 192), (32, 96)) if "resnet" in self.name else ((16, 64),) * 4,
        )

    def data_config(self) -> Mapping[str, Any]:
        """Returns a transform that resizes to a square without cropping and scales pixels to [-1, 1]."""
        return {
            "input_size": (3, self.size, self.size),
            "interpolation": "bilinear",
            "mean": (0.5, 0.5, 0.5),
            "std": (0.5, 0.5, 0.5),
            "crop_pct": 1.0,
            "crop_mode": "center",
        }

    def load(self, *, pretrained: bool = True) -> Encoder:
        """Returns a new staged encoder.

        If `random` is set and `pretrained` is true, the weights are random weights drawn with that seed.

        Raises:
            PluginError: A tensor of the encoder did not load.
        """
        if self.random is None or not pretrained:
            return super().load(pretrained=pretrained)
        import timm
        import torch

        from tlbench_timm.loading import staged

        with torch.random.fork_rng(devices=[]):
            # torch.manual_seed would also seed the GPU generators, which fork_rng(devices=[]) does not restore.
            torch.default_generator.manual_seed(self.random)
            native = self.build(None)
        # Library versions are part of the identity, since initialisation schemes change between releases.
        identity = f"{self._architecture}-drawn-{self.random}-timm-{timm.__version__}-torch-{torch.__version__}"
        return staged(native, self.name, (self.size, self.size), identity)

    def read(self) -> tuple[str, Mapping[str, Tensor]]:
        """Returns an identifier with the file's digest, and its tensors."""
        from tlbench_timm.loading import read_tensors

        return f"{self.name}@{_digest(self.file)}", read_tensors(self.file, self.name)

    def build(self, weights: Mapping[str, Tensor] | None) -> nn.Module:
        """Returns timm's model without a classifier.

        Raises:
            PluginError: A tensor of the encoder is missing, unexpected or of another shape.
        """
        from tlbench_timm.fractals.train import create
        from tlbench_timm.loading import load_strictly

        native = create(self._architecture, self.size, classes=0)
        return native if weights is None else load_strictly(native, weights, self.name)

    @property
    def _architecture(self) -> str:
        return self.name.replace("fractal-", "test_")


def _pretraining_data(recipe: Mapping[str, Any]) -> str:
    return f"rendered fractals ({recipe['classes']} systems, {recipe['steps']} steps of {recipe['batch_size']})"


def _is_weight(name: str) -> bool:
    # Batch-norm statistics are buffers, not parameters.
    return name != "__metadata__" and not name.endswith(("running_mean", "running_var", "num_batches_tracked"))


def backbones() -> list[FractalBackbone]:
    """Returns the backbones whose weights are installed; a checkout may lack the files."""
    return [backbone for name in ("fractal-resnet", "fractal-vit") if (backbone := FractalBackbone(name)).file.exists()]


@lru_cache(maxsize=4)
def _header(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        header: dict[str, Any] = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return header


@lru_cache(maxsize=4)
def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]
