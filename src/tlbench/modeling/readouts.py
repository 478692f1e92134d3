"""Provides readouts, which reduce the last stage's output to one vector per row."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tlbench.modeling.encoder import Hidden

Readout = Callable[[Hidden], Tensor]


def mean(hidden: Hidden) -> Tensor:
    """Returns the mean over tokens within the mask, or over the positions of a (B, D, H, W) map, as (B, D)."""
    x = hidden.x
    if x.ndim == 4:
        return x.mean((2, 3))
    if hidden.mask is None:
        return x.mean(1)
    weights = hidden.mask.unsqueeze(-1).to(x.dtype)
    # a row without tokens gives 0 rather than 0/0
    return (x * weights).sum(1) / weights.sum(1).clamp(min=1)


def first(hidden: Hidden) -> Tensor:
    """Returns the first token, where BERT-like encoders put their class token, as (B, D)."""
    return hidden.x[:, 0]


def last(hidden: Hidden) -> Tensor:
    """Returns the last token within the mask, as (B, D); in a causal decoder only this token attends to all others."""
    if hidden.mask is None:
        return hidden.x[:, -1]
    rows, length = hidden.mask.shape
    positions = torch.arange(length, device=hidden.mask.device)
    # by position, not by count: rows may be padded on the left
    at = (hidden.mask * positions).argmax(1)
    return hidden.x[torch.arange(rows, device=at.device), at]


READOUTS: dict[str, Readout] = {"mean": mean, "first": first, "last": last}
"""The readouts without parameters. A fourth, "pooler", is the library's own module, if it has one."""
