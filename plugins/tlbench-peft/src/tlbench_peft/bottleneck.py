"""Bottleneck adapters after the attention and the feed-forward part of each block. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench import Backbone, Choice, Job, PluginError, Space, SpaceContext, Task, Value
from tlbench_peft.partial_training import ParameterEfficient, has_attention
from tlbench_peft.target_layers import ATTENTION_OUTPUT, FEEDFORWARD_OUTPUT, find

if TYPE_CHECKING:
    from torch import nn

    from tlbench.training import Model

SIZES = (8, 64, 256)


@dataclass(frozen=True)
class BottleneckAdapter(ParameterEfficient):
    """Adapters: small layers with a residual connection after the attention and the feed-forward part of each block."""

    name: ClassVar[str] = "bottleneck-adapter"
    paper: ClassVar[str] = "Houlsby et al. 2019, arXiv:1902.00751"

    def space(self, about: SpaceContext) -> Space:
        """Returns the ranges of the learning rate and of the adapters' width, as in the paper."""
        return {**super().space(about), "size": Choice(SIZES)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns the width that the paper finds good on most tasks."""
        return {**super().defaults(about), "size": 64}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a backbone is not supported (it is a convolutional network), or None."""
        if not has_attention(backbone):
            return "bottleneck-adapter follows attention and feed-forward layers, and this is a convolutional network"
        return super().supports(backbone, task)

    def size(self, width: int) -> float:
        """Returns the number of trained weights in a block: two adapters, each with two matrices and their biases."""
        return 2 * (2 * width * max(SIZES) + width + max(SIZES))

    def adapted(self, job: Job, first: int, start: int) -> Model:
        """Returns the model with adapters in the stages from `first` on.

        Raises:
            PluginError: The encoder has no layer with a known name.
        """
        from tlbench.training import Model

        native = job.encoder.native
        paths = find(job.encoder, first, (*ATTENTION_OUTPUT, *FEEDFORWARD_OUTPUT))
        if not paths:
            raise PluginError(f"bottleneck-adapter knows no attention or feed-forward layer of {type(native).__name__}")
        for path in paths:
            _append(native.get_submodule(path), int(job.params["size"]))
        return Model(job.encoder, job.head, start)


def _append(layer: Any, size: int) -> None:
    """Adds an adapter behind a layer, so that stages and the names of the layer's weights stay as they are."""
    # GPT-2's linear layers have their inputs first.
    width = layer.out_features if hasattr(layer, "out_features") else layer.weight.shape[1]
    layer.add_module("adapter", _bottleneck(width, size).to(layer.weight.device))
    layer.register_forward_hook(lambda module, args, output: output + module.adapter(output))


def _bottleneck(width: int, size: int) -> nn.Module:
    """Returns a layer from (..., width) to (..., width) through `size` numbers, which is zero before training."""
    from torch import nn

    down, up = nn.Linear(width, size), nn.Linear(size, width)
    nn.init.normal_(down.weight, std=1e-2)
    for zero in (down.bias, up.weight, up.bias):
        nn.init.zeros_(zero)
    return nn.Sequential(down, nn.GELU(), up)
