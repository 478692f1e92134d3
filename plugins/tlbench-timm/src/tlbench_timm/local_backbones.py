"""Small backbones whose weights are files below `TLBENCH_DATA`, for use without the hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench import Card, UsageError
from tlbench.catalog.data_roots import DATA_VARIABLE
from tlbench.catalog.package_files import sha256_of
from tlbench_timm import sources
from tlbench_timm.backbone import ImageBackbone
from tlbench_timm.exports.network_recipe import NetworkRecipe

if TYPE_CHECKING:
    from torch import Tensor, nn

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class LocalBackbone(ImageBackbone):
    """Base class of backbones whose weights are one file below `TLBENCH_DATA`."""

    @property
    def file(self) -> str:
        """Path of the weights, relative to a folder in `TLBENCH_DATA`."""
        raise NotImplementedError

    @property
    def sha256(self) -> str:
        """SHA-256 of the published file."""
        raise NotImplementedError

    def located(self) -> Path:
        """Returns the absolute path of the weights, whose content is not verified.

        Raises:
            UsageError: The file is missing.
        """
        path = sources.local_file(self.file)
        if path is None:
            raise UsageError(f"{self.name}: set {DATA_VARIABLE} to a folder that holds {self.file}")
        return path

    def verified(self) -> Path:
        """Returns the absolute path of the weights after their content was compared with the SHA-256.

        Raises:
            UsageError: The file is missing, or is not the published one.
        """
        path = self.located()
        if (sha256 := sha256_of(path)) != self.sha256:
            raise UsageError(f"{self.name}: {path} is not the published file: its sha256 begins {sha256[:8]}")
        return path

    def missing(self) -> str | None:
        """Returns a message that says which file is missing, or None."""
        try:
            self.located()
        except UsageError as error:
            return str(error)
        return None

    def fetch(self) -> None:
        """Checks that the file is there, since it cannot be downloaded.

        Raises:
            UsageError: The file is missing, or is not the published one.
        """
        self.verified()


@dataclass(frozen=True)
class CifarResNet(LocalBackbone):
    """A residual network for 32x32 images, trained on CIFAR-10 by Y. Idelbayev."""

    name: str
    depth: int = 20

    paper = "He et al. 2016, arXiv:1512.03385"
    files: ClassVar[Mapping[int, str]] = {
        20: "12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8",
        32: "d509ac1820d7f25398913559d7e81a13229b1e7adc5648e3bfa5e22dc137f850",
        44: "014dd6541728a1c700b1642ab640e211dc6eb8ed507d70697458dc8f8a0ae2e4",
        56: "4bfd97631478d6b638d2764fd2baff3edb1d7d82252d54439343b6596b9b5367",
    }
    """Maps a depth to its weights' SHA-256."""

    def __post_init__(self) -> None:
        if self.depth not in self.files:
            raise UsageError(f"{self.name}: depth is {self.depth}, but must be {', '.join(map(str, self.files))}")

    @property
    def file(self) -> str:
        """Path of the weights of this depth."""
        return f"weights/cifar10_resnet/resnet{self.depth}-{self._digits}.th"

    @property
    def sha256(self) -> str:
        """SHA-256 of the published weights of this depth."""
        return self.files[self.depth]

    def card(self) -> Card:
        """Returns the known metadata of the network."""
        return Card(
            family="cifar-resnet",
            parameters=_parameters((self.depth - 2) // 6),
            width=64,
            image_side=32,
            maps=((4, 64),),
            stages=(self.depth - 2) // 2,
            licence="BSD-2-Clause",
            pretraining_data="CIFAR-10",
            trained_on=("cifar10",),
            source=f"data:{self.file}",
            revision=self._digits,
            on_disk=sources.local_file(self.file) is not None,
        )

    def data_config(self) -> Mapping[str, Any]:
        """Returns a transform that leaves 32x32 images as they are and resizes others."""
        return {
            "input_size": (3, 32, 32),
            "interpolation": "bilinear",
            "mean": _IMAGENET_MEAN,
            "std": _IMAGENET_STD,
            "crop_pct": 1.0,
            "crop_mode": "center",
        }

    def read(self) -> tuple[str, Mapping[str, Tensor]]:
        """Returns an identifier and the encoder's tensors, without CIFAR-10's classifier.

        Raises:
            UsageError: The file is missing, or is not the published one.
        """
        weights = self.checkpoint()
        return f"{self.name}@{self._digits}", {k: v for k, v in weights.items() if not k.startswith("linear")}

    def checkpoint(self) -> Mapping[str, Tensor]:
        """Returns all tensors of the file, classifier included.

        Raises:
            UsageError: The file is missing, or is not the published one.
        """
        import torch

        path = self.verified()
        # A .th file is a pickle, which could run code when it is loaded; `weights_only` prevents that in any case, even
        # though the digest was checked.
        state: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
        # The weights were saved from a DataParallel module, which puts "module." before every name.
        return {key.removeprefix("module."): value for key, value in state.items()}

    def build(self, weights: Mapping[str, Tensor] | None) -> nn.Module:
        """Returns the network without a classifier.

        Raises:
            PluginError: A tensor of the encoder is missing, unexpected or of another shape.
        """
        from tlbench_timm.loading import load_strictly

        native: nn.Module = self.recipe().build()
        return native if weights is None else load_strictly(native, weights, self.name)

    def recipe(self) -> NetworkRecipe:
        """Returns how the network is built."""
        return NetworkRecipe("tlbench_timm.cifar_resnet", "ResNet", {"depth": self.depth})

    @property
    def _digits(self) -> str:
        # The published file's name has the first eight digits.
        return self.sha256[:8]


@dataclass(frozen=True)
class MobileNetV1(LocalBackbone):
    """MobileNet v1 with width multiplier 0.25, trained on ImageNet; converted from TensorFlow."""

    name: str
    size: int = 224
    """Side of the images in pixels."""

    paper = "Howard et al. 2017, arXiv:1704.04861"

    def __post_init__(self) -> None:
        if self.size < 32:
            raise UsageError(f"{self.name}: size is {self.size}, but must be at least 32: images are halved five times")

    @property
    def file(self) -> str:
        """Path of the weights."""
        return "weights/mobilenetv1_025_imagenet/model.safetensors"

    @property
    def sha256(self) -> str:
        """SHA-256 of the weights as converted from TensorFlow."""
        return "8b21e30bde76c561220b3d3839e218bf1c1ac12b29a437a62032e6515533ef56"

    def card(self) -> Card:
        """Returns the known metadata of the network."""
        return Card(
            family="mobilenetv1",
            parameters=213_072,
            width=256,
            stages=13,
            image_side=self.size,
            maps=((4, 32), (8, 64), (16, 128), (32, 256)),
            licence="Apache-2.0",
            pretraining_data="ImageNet-1k",
            trained_on=("imagenet-1k",),
            source=f"data:{self.file}",
            revision=self.sha256[:12],
            on_disk=sources.local_file(self.file) is not None,
        )

    def data_config(self) -> Mapping[str, Any]:
        """Returns the transform that the weights were trained with: pixels in [-1, 1]."""
        return {
            "input_size": (3, self.size, self.size),
            "interpolation": "bilinear",
            "mean": (0.5, 0.5, 0.5),
            "std": (0.5, 0.5, 0.5),
            "crop_pct": 0.875,
            "crop_mode": "center",
        }

    def read(self) -> tuple[str, Mapping[str, Tensor]]:
        """Returns an identifier with the file's digest, and its tensors.

        Raises:
            UsageError: The file is missing, or is not the published one.
        """
        from tlbench_timm.loading import read_tensors

        return f"mobilenetv1-025@{self.sha256[:12]}", read_tensors(self.verified(), self.name)

    def build(self, weights: Mapping[str, Tensor] | None) -> nn.Module:
        """Returns the network from timm's private builder function, since timm registers no model of this width.

        Raises:
            PluginError: A tensor of the encoder is missing, unexpected or of another shape.
        """
        from tlbench_timm.loading import load_strictly

        native: nn.Module = self.recipe().build()
        return native if weights is None else load_strictly(native, weights, self.name)

    def recipe(self) -> NetworkRecipe:
        """Returns how the network is built."""
        # Padding and epsilon as in TensorFlow, where the weights come from.
        arguments = {
            "variant": "mobilenetv1_025", "channel_multiplier": 0.25, "pad_type": "same", "bn_eps": 0.001,
            "num_classes": 0, "pretrained_cfg": {"num_classes": 0},
        }  # fmt: skip
        return NetworkRecipe("timm.models.efficientnet", "_gen_mobilenet_v1", arguments)


def _parameters(blocks: int) -> int:
    """Returns the number of parameters of a CIFAR ResNet with this many blocks in each of its three groups."""

    def layer(in_channels: int, out_channels: int) -> int:
        # A 3x3 convolution without bias, and a batch norm's scale and shift.
        return 9 * in_channels * out_channels + 2 * out_channels

    widths = (16, 16, 32, 64)
    firsts = sum(layer(in_channels, out_channels) for in_channels, out_channels in pairwise(widths))
    rest = sum((2 * blocks - 1) * layer(width, width) for width in widths[1:])
    return layer(3, 16) + firsts + rest
