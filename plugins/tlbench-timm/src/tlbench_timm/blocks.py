"""Finds where a model of timm can be cut: by the library's own groups of parameters, believed only after a check."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from tlbench.modeling.encoder import Encoder

_FAINT = 1e-2


def candidates(native: Any) -> Iterator[list[str]]:
    """Yields lists of paths of blocks, finest first; the last is empty: a model that cannot be cut is one stage."""
    for coarse in (False, True):
        paths = _grouped(native, coarse) if hasattr(native, "group_matcher") else []
        if paths:
            yield paths
    yield []


def checked(native: nn.Module, size: tuple[int, int], make: Callable[[list[str]], Encoder]) -> list[str]:
    """Returns the finest list of blocks at whose every call the model can be cut.

    Args:
        native: The model, in eval mode.
        size: Height and width of its images.
        make: Returns a staged encoder of these blocks.
    """
    noise = torch.randn((_ROWS, 3, *size), generator=torch.Generator().manual_seed(0))
    for paths in candidates(native):
        if not paths:
            break
        try:
            with torch.random.fork_rng(devices=[]), torch.no_grad(), _audible(native):
                if _holds(make(paths), noise):
                    return paths
        except Exception:  # models of many authors, called in a manner that they were not made for
            continue
    return []


_ROWS = 3
"""One more than the images that stand in: a block that counts rows before it is called is found out."""


def _grouped(native: Any, coarse: bool) -> list[str]:
    rules = native.group_matcher(coarse=coarse).get("blocks", [])
    rules = [(rules, None)] if isinstance(rules, str) else rules
    patterns = [re.compile(rule[0]) for rule in rules if len(rule) < 2 or rule[1] is None]
    paths = [
        path
        for path, module in native.named_modules()
        if any(pattern.fullmatch(path) for pattern in patterns)
        # VGG's list holds norms, activations and pooling beside the convolutions that they belong to.
        and any(parameter.ndim > 1 for parameter in module.parameters())
    ]
    if paths and isinstance(native.get_submodule(paths[0]), nn.Conv2d):
        return paths[1:]
    return paths


def _holds(encoder: Encoder, pixels: Tensor) -> bool:
    """Says whether passes of one stage each, one after the other, give the bits of a whole pass."""
    whole = encoder({"pixel_values": pixels}).x
    hidden = encoder({"pixel_values": pixels}, stop=1)
    for stage in range(1, len(encoder.stages)):
        if hidden.x.shape[0] != len(pixels):
            return False
        hidden = encoder(hidden, start=stage, stop=stage + 1)
    return torch.equal(hidden.x, whole) and bool(whole.std() > 0)


@contextmanager
def _audible(native: nn.Module) -> Iterator[None]:
    """Turns up weights that are all next to nothing: behind a block that adds nothing a wrong cut would go unseen."""
    faint = [p for p in native.parameters() if p.numel() and float(p.abs().max()) < _FAINT]
    before = [p.clone() for p in faint]
    try:
        for parameter in faint:
            parameter.fill_(0.5)
        yield
    finally:
        for parameter, values in zip(faint, before, strict=True):
            parameter.copy_(values)
