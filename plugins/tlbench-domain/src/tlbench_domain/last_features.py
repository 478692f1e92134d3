"""The features that a model's last layer reads, and a hidden layer for heads on frozen backbones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from torch import Tensor, nn

from tlbench import PluginError
from tlbench.modeling.data import Batch
from tlbench.modeling.precision import at_least_fp32
from tlbench.training import Model

HIDDEN = 100
"""Units of the hidden layer, as in Ganin et al. 2016, section 5.1.3 (50 or 100)."""
OutputsOf: TypeAlias = Callable[[Batch], tuple[Tensor, Tensor]]


def add_hidden_layer(model: Model) -> None:
    """Puts a hidden layer of `HIDDEN` units below the head's linear layer.

    Raises:
        PluginError: The head has no linear layer.
    """
    last = last_layer(model)
    layers = nn.Sequential(nn.Linear(last.in_features, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, last.out_features))
    model.head.linear = layers.to(last.weight)


def last_layer(model: Model) -> nn.Linear:
    """Returns the linear layer of the head that puts out the logits.

    Raises:
        PluginError: There is none.
    """
    layers = [module for module in model.head.modules() if isinstance(module, nn.Linear)]
    if not layers or not hasattr(model.head, "linear"):
        raise PluginError(f"{type(model.head).__name__} has no linear layer whose inputs could be aligned")
    return layers[-1]


@contextmanager
def reading_features(model: Model) -> Iterator[OutputsOf]:
    """Within the block, yields a function that returns the logits of a batch and the inputs (B, D) of the last layer.

    Both are in fp32 at least, with a gradient.
    """
    latest: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        latest[:] = inputs

    hook = last_layer(model).register_forward_pre_hook(keep)

    def outputs_of(batch: Batch) -> tuple[Tensor, Tensor]:
        logits = model(batch)
        return at_least_fp32(logits), at_least_fp32(latest.pop())

    try:
        yield outputs_of
    finally:
        hook.remove()
