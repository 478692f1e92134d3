"""Which weights of a module were trained since it was loaded; what is frozen again afterwards is still among them."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

_KEY = "_tlbench_trained"


def note_trained(module: nn.Module, weights: Iterable[nn.Parameter]) -> None:
    """Notes that those of the weights which are the module's are being trained."""
    own = set(module.parameters())
    module.__dict__.setdefault(_KEY, set()).update(weight for weight in weights if weight in own)


def trained_weights(module: nn.Module) -> set[nn.Parameter]:
    """Returns the module's weights that were noted as trained."""
    return set(module.__dict__.get(_KEY, ()))


def forget_trained(module: nn.Module) -> None:
    """Forgets what was trained, for a module whose pretrained weights were put back."""
    module.__dict__.pop(_KEY, None)
