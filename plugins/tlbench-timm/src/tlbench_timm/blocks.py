"""Finds where a timm model can be cut into stages: timm's groups propose cuts, a test pass verifies them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from tlbench.modeling.encoder import Encoder

_NEAR_ZERO = 1e-2
"""Threshold: if all absolute values of a parameter are smaller, its block's contribution may vanish in rounding."""
_ROWS = 3
"""Number of rows in the test batch of `verified_blocks`.

It is one more than in `ImageConvention`'s stand-in batch, so that blocks that use the stand-in's row count fail the
test.
"""


def candidates(native: Any) -> Iterator[list[str]]:
    """Yields candidate lists of block paths, finest first; the last is empty and keeps the model a single stage."""
    for coarse in (False, True):
        paths = _grouped(native, coarse) if hasattr(native, "group_matcher") else []
        if paths:
            yield paths
    yield []


def verified_blocks(native: nn.Module, size: tuple[int, int], build: Callable[[list[str]], Encoder]) -> list[str]:
    """Returns the finest list of blocks for which the stages, run one by one, reproduce the model's output bit for bit.

    If no list passes this test, it returns an empty list.

    Args:
        native: The model, in eval mode.
        size: Height and width of its images.
        build: Builds a staged encoder from a list of block paths.
    """
    # The noise has its own generator, so that loading a model leaves the global random state alone.
    noise = torch.randn((_ROWS, 3, *size), generator=torch.Generator().manual_seed(0))
    for paths in candidates(native):
        if not paths:
            break
        try:
            with torch.random.fork_rng(devices=[]), torch.no_grad(), _amplified(native):
                if _is_exact(build(paths), noise):
                    return paths
        # timm has hundreds of architectures by many authors; when called block by block, they may raise any exception.
        # The next candidate is tried then.
        except Exception:
            continue
    return []


def _grouped(native: Any, coarse: bool) -> list[str]:
    # timm gives one pattern, or (pattern, order) pairs; a pair with an order names a fixed group such as the norm.
    rules = native.group_matcher(coarse=coarse).get("blocks", [])
    rules = [(rules, None)] if isinstance(rules, str) else rules
    patterns = [re.compile(rule[0]) for rule in rules if len(rule) < 2 or rule[1] is None]
    paths = [
        path
        for path, module in native.named_modules()
        if any(pattern.fullmatch(path) for pattern in patterns)
        # VGG's pattern also matches norms, activations and pooling; only modules with a weight matrix are blocks.
        and any(parameter.ndim > 1 for parameter in module.parameters())
    ]
    # A network that begins with a bare convolution has no stem below it: the first convolution becomes the stem.
    if paths and isinstance(native.get_submodule(paths[0]), nn.Conv2d):
        return paths[1:]
    return paths


def _is_exact(encoder: Encoder, pixels: Tensor) -> bool:
    """Returns whether running the stages one by one gives the same bits as running the whole model at once."""
    whole = encoder({"pixel_values": pixels}).x
    hidden = encoder({"pixel_values": pixels}, stop=1)
    for stage in range(1, len(encoder.stages)):
        # Some models move or merge the batch dimension between blocks; their rows could not be cached one by one.
        if hidden.x.shape[0] != len(pixels):
            return False
        hidden = encoder(hidden, start=stage, stop=stage + 1)
    # A constant output would equal itself under any cut.
    return torch.equal(hidden.x, whole) and bool(whole.std() > 0)


@contextmanager
def _amplified(native: nn.Module) -> Iterator[None]:
    """Context manager that sets near-zero parameters to 0.5, so that every block affects the output.

    Layer scales and zero-initialised residual weights are such parameters; with their original values, a wrong split
    into stages could go unnoticed.
    """
    near_zero = [p for p in native.parameters() if p.numel() and float(p.abs().max()) < _NEAR_ZERO]
    originals = [p.clone() for p in near_zero]
    try:
        for parameter in near_zero:
            # In place, since the optimiser and the encoder hold references to the parameters.
            parameter.fill_(0.5)
        yield
    finally:
        for parameter, values in zip(near_zero, originals, strict=True):
            parameter.copy_(values)
