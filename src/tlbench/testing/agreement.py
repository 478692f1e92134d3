"""Assertions that two implementations compute the same numbers, with bounds derived from rounding errors.

The order in which a processor sums depends on its instructions and threads, so a tolerance measured in fp32 on one
machine does not hold on another. Implementations are therefore compared in fp64, where rounding is far below the
effect of any mistake. Where fp32 itself is under test, the bound is computed from the rounding errors of fp32.
"""

from __future__ import annotations

import torch
from torch import Tensor

FP32_EPS = torch.finfo(torch.float32).eps
"""Machine epsilon of fp32, 1.2e-7; one rounding has a relative error of at most half of this."""
FP64_APART = 1e-10
"""Largest difference allowed between two fp64 computations of the same numbers, relative to the largest number.

One rounding is 1e-16. Sums of hundreds of products, dozens of blocks and training steps accumulate up to 1e-12. Adam
and batch normalisation amplify errors by dividing by small deviations, but at most by 1/epsilon, 1e8 for Adam. A value
that was rounded to fp32 on the way is off by 1e-8 or more.
"""
TIMES_THE_LIBRARYS = 8
"""Largest allowed ratio of our fp32 rounding errors to those of the reference implementation.

The maximum of many errors of similar size varies by less than this between orders of summation. A coarser type on the
way (bf16 has 2^16 times the error of fp32) or another formula exceeds it by far.
"""
LAST_BITS = 4
"""Error that is always allowed, in epsilons of the largest value, since the reference may be exact by chance."""


def assert_same_in_fp64(mine: Tensor, other: Tensor, what: str = "") -> None:
    """Asserts that two fp64 tensors have the same shape and agree up to `FP64_APART`.

    Args:
        mine: The tensor under test.
        other: The reference.
        what: A name for messages.
    """
    assert mine.dtype == other.dtype == torch.float64, f"{what}: {mine.dtype} and {other.dtype}: something narrows"
    assert mine.shape == other.shape, f"{what}: {tuple(mine.shape)} and {tuple(other.shape)}"
    # Relative to at least 1, since small differences of large numbers keep the absolute errors of those.
    bound = FP64_APART * max(1.0, _largest(other))
    assert (apart := _largest(mine - other)) <= bound, f"{what}: {apart:.2g} apart, {bound:.2g} is allowed"


def assert_rounded_alike(mine: Tensor, other: Tensor, exact: Tensor, what: str = "") -> None:
    """Asserts that an fp32 tensor is about as close to the exact values as the fp32 reference is.

    Args:
        mine: The tensor under test, fp32.
        other: The reference implementation's result, fp32.
        exact: The same values computed in fp64.
        what: A name for messages.
    """
    assert mine.dtype == other.dtype == torch.float32, f"{what}: {mine.dtype} and {other.dtype}"
    assert mine.shape == other.shape == exact.shape, f"{what}: {tuple(mine.shape)} and {tuple(other.shape)}"
    bound = TIMES_THE_LIBRARYS * _largest(other.double() - exact) + LAST_BITS * FP32_EPS * _largest(exact)
    assert (apart := _largest(mine.double() - exact)) <= bound, f"{what}: off by {apart:.2g}, {bound:.2g} is allowed"


def sum_error(count: int, size: float) -> float:
    """Returns by how much fp32 sums of the same terms in two orders can differ.

    There are `count` terms, whose absolute values add up to `size`.

    In each order, each of the `count` - 1 additions rounds a partial sum of at most `size` by half an epsilon.
    """
    return max(1, count) * FP32_EPS * size


def _largest(numbers: Tensor) -> float:
    return float(numbers.detach().abs().max()) if numbers.numel() else 0.0
