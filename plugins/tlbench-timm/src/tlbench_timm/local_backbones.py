"""Small backbones with real weights that lie in files below `TLBENCH_DATA`, for work without a hub."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench import Card, UsageError
from tlbench_timm import sources
from tlbench_timm.backbone import ImageBackbone

if TYPE_CHECKING:
    from torch import Tensor, nn

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class LocalBackbone(ImageBackbone):
    """A backbone whose weights are one file below `TLBENCH_DATA`."""

    @property
    def file(self) -> str:
        """The file's path below the folder that the variable names."""
        raise NotImplementedError

    def located(self) -> Path:
        """Returns the file.

        Raises:
            UsageError: It is not there.
        """
        path = sources.local_file(self.file)
        if path is None:
            raise UsageError(f"{self.name}: set {sources.VARIABLE} to a folder that holds {self.file}")
        return path

    def fetch(self) -> None:
        """Does nothing but look: the file is had from nowhere else."""
        self.located()


@dataclass(frozen=True)
class CifarResNet(LocalBackbone):
    """A residual network for images of 32x32, trained on CIFAR-10 by Y. Idelbayev; three groups of blocks."""

    name: str
    depth: int = 20

    paper = "He et al. 2016, arXiv:1512.03385"
    files: ClassVar[Mapping[int, str]] = {20: "12fca82f", 32: "d509ac18", 44: "014dd654", 56: "4bfd9763"}
    """Depth to the first digits of the sha256 of its weights."""

    def __post_init__(self) -> None:
        if self.depth not in self.files:
            raise UsageError(f"{self.name}: depth is {self.depth}, but there are {', '.join(map(str, self.files))}")

    @property
    def file(self) -> str:
        """The file of this depth."""
        return f"weights/cifar10_resnet/resnet{self.depth}-{self.files[self.depth]}.th"

    def card(self) -> Card:
        """Returns what is known of all four."""
        return Card(
            family="cifar-resnet",
            parameters=_parameters((self.depth - 2) // 6),
            width=64,
            stages=(self.depth - 2) // 2,
            licence="BSD-2-Clause",
            pretraining_data="CIFAR-10",
            source=self.file,
            revision=self.files[self.depth],
            on_disk=sources.local_file(self.file) is not None,
        )

    def data_config(self) -> Mapping[str, Any]:
        """Returns images as they are, if they are of 32x32."""
        return {
            "input_size": (3, 32, 32),
            "interpolation": "bilinear",
            "mean": _IMAGENET_MEAN,
            "std": _IMAGENET_STD,
            "crop_pct": 1.0,
            "crop_mode": "center",
        }

    def read(self) -> tuple[str, Mapping[str, Tensor]]:
        """Returns the encoder's tensors; the classifier of CIFAR-10's own classes is left behind.

        Raises:
            UsageError: The file is not there, or is not the one that was published.
        """
        weights = self.checkpoint()
        return f"{self.name}@{self.files[self.depth]}", {k: v for k, v in weights.items() if not k.startswith("linear")}

    def checkpoint(self) -> Mapping[str, Tensor]:
        """Returns all tensors of the file, the classifier's among them; raises as `read`."""
        import torch

        path = self.located()
        with path.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
        if not found.startswith(self.files[self.depth]):
            raise UsageError(f"{self.name}: {path} is not the file that was published: its sha256 is {found[:8]}")
        state: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
        return {key.removeprefix("module."): value for key, value in state.items()}

    def build(self, weights: Mapping[str, Tensor] | None) -> nn.Module:
        """Returns the network."""
        from tlbench_timm.cifar_resnet import ResNet
        from tlbench_timm.loading import load_strictly

        native = ResNet(self.depth)
        return native if weights is None else load_strictly(native, weights, self.name)


@dataclass(frozen=True)
class MobileNetV1(LocalBackbone):
    """MobileNet v1 of a quarter of its width, trained on ImageNet; converted from TensorFlow."""

    name: str
    size: int = 224
    """Pixels a side."""

    paper = "Howard et al. 2017, arXiv:1704.04861"

    def __post_init__(self) -> None:
        if self.size < 32:
            raise UsageError(f"{self.name}: size is {self.size}, but images are halved five times: at least 32")

    @property
    def file(self) -> str:
        """The only file."""
        return "weights/mobilenetv1_025_imagenet/model.safetensors"

    def card(self) -> Card:
        """Returns what is known of it."""
        path = sources.local_file(self.file)
        return Card(
            family="mobilenetv1",
            parameters=213_072,
            width=256,
            stages=13,
            licence="Apache-2.0",
            pretraining_data="ImageNet-1k",
            source=self.file,
            revision=sources.digest_of(path) if path else "",
            on_disk=path is not None,
        )

    def data_config(self) -> Mapping[str, Any]:
        """Returns what the weights were trained with: pixels from -1 to 1."""
        return {
            "input_size": (3, self.size, self.size),
            "interpolation": "bilinear",
            "mean": (0.5, 0.5, 0.5),
            "std": (0.5, 0.5, 0.5),
            "crop_pct": 0.875,
            "crop_mode": "center",
        }

    def read(self) -> tuple[str, Mapping[str, Tensor]]:
        """Returns the tensors and the file's digest."""
        from tlbench_timm.loading import read_tensors

        path = self.located()
        return f"mobilenetv1-025@{sources.digest_of(path)}", read_tensors(path, self.name)

    def build(self, weights: Mapping[str, Tensor] | None) -> nn.Module:
        """Returns timm's network by the builder that it has for wider ones; it has no name for this width."""
        from timm.models.efficientnet import _gen_mobilenet_v1

        from tlbench_timm.loading import load_strictly

        native: nn.Module = _gen_mobilenet_v1(
            "mobilenetv1_025", 0.25, pad_type="same", bn_eps=0.001, num_classes=0, pretrained_cfg={"num_classes": 0}
        )
        return native if weights is None else load_strictly(native, weights, self.name)


def _parameters(blocks: int) -> int:
    """Returns how many parameters a CIFAR ResNet has, of so many blocks in each of three groups."""

    def layer(taken: int, given: int) -> int:
        return 9 * taken * given + 2 * given

    widths = (16, 16, 32, 64)
    firsts = sum(layer(taken, given) for taken, given in pairwise(widths))
    rest = sum((2 * blocks - 1) * layer(width, width) for width in widths[1:])
    return layer(3, 16) + firsts + rest
