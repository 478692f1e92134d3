"""Records which weights of a module were trained since it was loaded, including weights that were frozen later."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

_KEY = "_tlbench_trained"


def note_trained(module: nn.Module, weights: Iterable[nn.Parameter]) -> None:
    """Records the weights as trained; weights that do not belong to the module are ignored."""
    own = set(module.parameters())
    module.__dict__.setdefault(_KEY, set()).update(weight for weight in weights if weight in own)


def trained_weights(module: nn.Module) -> set[nn.Parameter]:
    """Returns the module's weights that were recorded as trained."""
    return set(module.__dict__.get(_KEY, ()))


def forget_trained(module: nn.Module) -> None:
    """Clears the record of trained weights, for a module whose pretrained weights were restored."""
    module.__dict__.pop(_KEY, None)
