"""Dropout of another probability than a model was built with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

_ATTRIBUTES = ("attention_dropout", "dropout_prob", "activation_dropout")
"""Attributes in which modules of transformers keep the probability of a dropout that they call as a function."""


@contextmanager
def dropout(module: nn.Module, p: float | None) -> Iterator[None]:
    """Within the block, every dropout in the module has probability `p` (Srivastava et al. 2014); None changes nothing.

    Stochastic depth (`DropPath`) is no dropout and keeps its own probability.
    """
    before = [] if p is None else list(_probabilities(module))
    try:
        for part, name, _ in before:
            setattr(part, name, p)
        yield
    finally:
        # The next fit expects the probabilities that the backbone was loaded with.
        for part, name, value in before:
            setattr(part, name, value)


def _probabilities(module: nn.Module) -> Iterator[tuple[Any, str, float]]:
    """Yields each module with a dropout probability, the attribute's name and its value."""
    for part in module.modules():
        if isinstance(part, nn.modules.dropout._DropoutNd):
            yield part, "p", part.p
        for name in _ATTRIBUTES:
            if isinstance(value := vars(part).get(name), float):
                yield part, name, value
