"""Readouts: how one vector per row is read off the last stage's output."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tlbench.modeling.encoder import Hidden

Readout = Callable[[Hidden], Tensor]


def mean(hidden: Hidden) -> Tensor:
    """Returns (B, D): the mean over tokens (those of the mask), or over the positions of a (B, D, H, W) map."""
    x = hidden.x
    if x.ndim == 4:
        return x.mean((2, 3))
    if hidden.mask is None:
        return x.mean(1)
    weights = hidden.mask.unsqueeze(-1).to(x.dtype)
    return (x * weights).sum(1) / weights.sum(1).clamp(min=1)


def first(hidden: Hidden) -> Tensor:
    """Returns (B, D): the first token, where encoders put their class token."""
    return hidden.x[:, 0]


def last(hidden: Hidden) -> Tensor:
    """Returns (B, D): the last token of the mask, the only one that a causal decoder let see all of them."""
    if hidden.mask is None:
        return hidden.x[:, -1]
    rows, length = hidden.mask.shape
    positions = torch.arange(length, device=hidden.mask.device)
    at = (hidden.mask * positions).argmax(1)
    return hidden.x[torch.arange(rows, device=at.device), at]


READOUTS: dict[str, Readout] = {"mean": mean, "first": first, "last": last}
"""Those that need nothing but the output; "pooler" is the library's own, trained with the backbone or not."""
