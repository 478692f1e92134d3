"""How far two ways to compute the same numbers may be apart, and why.

What a processor adds up in which order depends on its instructions and threads, so that a distance in fp32 which was
found on one machine says nothing of the next. Two ways that should agree are compared in fp64, where rounding is far
below what a mistake would do; where fp32 itself is meant, the bound is computed from what rounding does to it.
"""

from __future__ import annotations

import torch
from torch import Tensor

FP32_EPS = torch.finfo(torch.float32).eps
"""1.2e-7: the relative distance of two neighbours in fp32; one rounding is off by half of it at most."""
FP64_APART = 1e-10
"""How far the same numbers may be apart in fp64, where they are large in their size.

A rounding is 1e-16. Sums of hundreds of products, dozens of blocks and steps of training make up to 1e-12 of it: Adam
divides by the deviation of a gradient, but never by less than its epsilon of 1e-8, and batch normalisation by the
deviation of a channel. A number that went through fp32 on its way is off by 1e-8 or more, and a mistake by more still.
"""
TIMES_THE_LIBRARYS = 8
"""How many times as large as another implementation's rounding errors in fp32 one's own may be.

The largest of many errors of like size differs by less from one order of sums to another; what goes through a coarser
type on its way (bf16: 2^16 times fp32) or computes something else is off by far more.
"""
LAST_BITS = 4
"""Roundings of the result itself, which one may need more than the other: where the other happens to have none."""


def assert_same_in_fp64(mine: Tensor, other: Tensor, what: str = "") -> None:
    """Raises unless both are in fp64, of one shape, and agree to `FP64_APART` of their size."""
    assert mine.dtype == other.dtype == torch.float64, f"{what}: {mine.dtype} and {other.dtype}: something narrows"
    assert mine.shape == other.shape, f"{what}: {tuple(mine.shape)} and {tuple(other.shape)}"
    bound = FP64_APART * max(1.0, _size(other))
    assert (apart := _size(mine - other)) <= bound, f"{what}: {apart:.2g} apart where {bound:.2g} is allowed"


def assert_rounded_alike(mine: Tensor, other: Tensor, exact: Tensor, what: str = "") -> None:
    """Raises unless numbers in fp32 are about as near to the exact ones, in fp64, as another's in fp32 are."""
    assert mine.dtype == other.dtype == torch.float32, f"{what}: {mine.dtype} and {other.dtype}"
    assert mine.shape == other.shape == exact.shape, f"{what}: {tuple(mine.shape)} and {tuple(other.shape)}"
    bound = TIMES_THE_LIBRARYS * _size(other.double() - exact) + LAST_BITS * FP32_EPS * _size(exact)
    assert (apart := _size(mine.double() - exact)) <= bound, f"{what}: off by {apart:.2g}, {bound:.2g} is allowed"


def sum_error(count: int, size: float) -> float:
    """Returns how far two orders of a sum in fp32 may be apart: of `count` terms whose sizes add up to `size`.

    Each of the `count` - 1 additions rounds a partial sum of at most `size` by half an epsilon, in both orders.
    """
    return max(1, count) * FP32_EPS * size


def _size(numbers: Tensor) -> float:
    return float(numbers.detach().abs().max()) if numbers.numel() else 0.0
