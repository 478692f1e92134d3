"""Readouts, which reduce a batch to one vector per row."""

from __future__ import annotations

import pytest
import torch

from tlbench.modeling.encoder import Hidden
from tlbench.modeling.readouts import READOUTS
from tlbench.testing.agreement import assert_same_in_fp64

X = torch.randn(4, 5, 8, generator=torch.Generator().manual_seed(0)).double()
MASK = torch.arange(5) < torch.tensor([5, 2, 4, 1]).unsqueeze(1)


def test_the_mean_ignores_padding():
    expected = torch.stack([X[i, : int(MASK[i].sum())].mean(0) for i in range(4)])
    assert_same_in_fp64(READOUTS["mean"](Hidden(X, MASK)), expected)
    assert torch.equal(READOUTS["mean"](Hidden(X)), X.mean(1))


def test_the_mean_of_no_token_is_zero_and_not_nan():
    assert torch.equal(READOUTS["mean"](Hidden(X, torch.zeros_like(MASK))), torch.zeros(4, 8, dtype=torch.float64))


def test_the_mean_of_a_map_is_over_its_positions():
    maps = X.reshape(2, 5, 4, 4)
    assert_same_in_fp64(READOUTS["mean"](Hidden(maps)), maps.flatten(2).mean(-1))


def test_the_last_token_is_the_last_of_the_mask():
    expected = torch.stack([X[0, 4], X[1, 1], X[2, 3], X[3, 0]])
    assert torch.equal(READOUTS["last"](Hidden(X, MASK)), expected)
    assert torch.equal(READOUTS["last"](Hidden(X)), X[:, -1])
    left = MASK.flip(1)
    assert torch.equal(READOUTS["last"](Hidden(X, left)), X[:, -1]), "padding on the left"


def test_the_first_token():
    assert torch.equal(READOUTS["first"](Hidden(X, MASK)), X[:, 0])


@pytest.mark.parametrize("name", READOUTS)
def test_half_precision_stays_half(name):
    assert READOUTS[name](Hidden(X.bfloat16(), MASK)).dtype == torch.bfloat16
