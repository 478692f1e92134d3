"""How far two ways to the same numbers may be apart: what is let through and what is not."""

from __future__ import annotations

import pytest
import torch

from tlbench.testing.agreement import FP32_EPS, FP64_APART, assert_rounded_alike, assert_same_in_fp64, sum_error

EXACT = torch.randn(300, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_in_fp64_rounding_is_let_through_and_what_went_through_fp32_is_not() -> None:
    assert_same_in_fp64(EXACT * 3 / 3, EXACT)
    assert_same_in_fp64(1e6 * EXACT + FP64_APART * 1e6, 1e6 * EXACT)
    for other in (EXACT.float().double(), EXACT + 2e-10 * EXACT.abs().max(), EXACT * torch.nan):
        with pytest.raises(AssertionError, match="apart"):
            assert_same_in_fp64(other, EXACT)
    with pytest.raises(AssertionError, match="narrows"):
        assert_same_in_fp64(EXACT.float(), EXACT.float())
    with pytest.raises(AssertionError, match=r"\(299,\)"):
        assert_same_in_fp64(EXACT[1:], EXACT)


def test_in_fp32_another_order_is_let_through_and_bf16_is_not() -> None:
    rows = EXACT.float().reshape(10, 30)
    exact, rounded = rows.double().sum(1), rows.sum(1)
    backwards = torch.stack([rows[:, i] for i in range(29, -1, -1)]).cumsum(0)[-1]
    assert_rounded_alike(backwards, rounded, exact)
    assert (backwards - rounded).abs().max() <= sum_error(30, float(rows.abs().sum(1).max()))
    for other in (rows.bfloat16().float().sum(1), rounded + 100 * FP32_EPS * exact.abs().max(), rounded * torch.nan):
        with pytest.raises(AssertionError, match="off by"):
            assert_rounded_alike(other.float(), rounded, exact)
    with pytest.raises(AssertionError, match="float64"):
        assert_rounded_alike(exact, rounded, exact)
