"""AdamW against torch's own implementation: dense and row-wise, in fp64 and fp32."""

from __future__ import annotations

import re
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from tlbench.contracts.errors import PluginError
from tlbench.testing.agreement import assert_rounded_alike, assert_same_in_fp64
from tlbench.training.adamw import MANY_ROWS, AdamW, embeddings_by_row
from tlbench.training.parameters import groups_of

pytestmark = pytest.mark.equivalence


class Bag(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words = nn.Embedding(MANY_ROWS, 6, padding_idx=0)
        self.linear = nn.Linear(6, 3)

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.words(ids).mean(1))
        return logits


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    words = [p for name, p in model.named_parameters() if "words" in name]
    others = [p for name, p in model.named_parameters() if "words" not in name]
    return [
        {"params": words, "lr": 0.02, "weight_decay": 0.0},
        {"params": others, "lr": 0.01, "weight_decay": weight_decay},
    ]


def _loss(model: nn.Module, step: int) -> Tensor:
    generator = torch.Generator().manual_seed(step)
    ids = torch.randint(0, 40 + 20 * step, (8, 5), generator=generator)
    return 5 * nn.functional.cross_entropy(model(ids), ids[:, 0] % 3)


def _trained(steps: int, dtype: torch.dtype, by_row: bool) -> Bag:
    model = Bag().to(dtype)
    optimizer = AdamW(_groups(model, 0.1), max_grad_norm=1.0)
    with embeddings_by_row(model) if by_row else nullcontext():
        for step in range(steps):
            _loss(model, step).backward()
            assert model.words.weight.grad.is_sparse == by_row
            assert optimizer.step(1.0) > 1, "nothing is clipped"
    return model


def _reference(steps: int, dtype: torch.dtype) -> Bag:
    """Returns a model trained by torch's unfused implementation, one parameter at a time, with clipping by hand."""
    model = Bag().to(dtype)
    states = {p: ([torch.zeros_like(p)], [torch.zeros_like(p)], [torch.zeros(())]) for p in model.parameters()}
    for step in range(steps):
        model.zero_grad()
        _loss(model, step).backward()
        # torch's `clip_grad_norm_` adds 1e-6 to the norm, which is more than a rounding error in fp64.
        length = nn.utils.get_total_norm([p.grad for p in model.parameters()])
        for p in model.parameters():
            p.grad.div_(length.clamp(min=1.0))
        for group in _groups(model, 0.1):
            for p in group["params"]:
                means, squares, step_counts = states[p]
                with torch.no_grad():
                    adamw(
                        [p], [p.grad], means, squares, [], step_counts, foreach=False, amsgrad=False, beta1=0.9,
                        beta2=0.999, lr=group["lr"], weight_decay=group["weight_decay"], eps=1e-8, maximize=False,
                    )  # fmt: skip
    return model


@pytest.mark.parametrize("by_row", [False, True])
def test_updates_equal_those_of_torch(by_row: bool) -> None:
    whole, single = (_trained(6, dtype, by_row) for dtype in (torch.float64, torch.float32))
    exact, rounded = (_reference(6, dtype) for dtype in (torch.float64, torch.float32))
    for name, theirs in exact.named_parameters():
        assert_same_in_fp64(whole.get_parameter(name), theirs, name)
        assert_rounded_alike(single.get_parameter(name), rounded.get_parameter(name), theirs, name)
    assert not torch.equal(single.words.weight, Bag().words.weight)


@pytest.mark.parametrize("by_row", [False, True])
def test_steps_too_small_for_bf16_add_up(by_row: bool) -> None:
    table = nn.Embedding(MANY_ROWS, 2, dtype=torch.bfloat16)
    nn.init.ones_(table.weight)
    optimizer = AdamW([{"params": [table.weight], "lr": 1e-4, "weight_decay": 0.0}], max_grad_norm=1e9)
    with embeddings_by_row(table) if by_row else nullcontext():
        for step in range(100):
            # The second row appears one step later and gets its fp32 master only then.
            table(torch.tensor([5, 3 if step else 5])).float().sum().backward()
            optimizer.step(1.0)
    assert table.weight.dtype == torch.bfloat16
    # Neighbouring bf16 numbers below 1 are 2^-8 apart, and the later row takes a few steps of 1e-4 less.
    assert (table.weight[[3, 5]].float() - 0.99).abs().max() <= 2**-9 + 5e-4
    assert bool((table.weight[6:] == 1).all())


@pytest.mark.parametrize("by_row", [False, True])
def test_a_change_of_weights_in_bf16_is_adopted_and_the_rest_keeps_its_small_steps(by_row: bool) -> None:
    tables = []
    for changed in (False, True):
        table = nn.Embedding(MANY_ROWS, 2, dtype=torch.bfloat16)
        nn.init.ones_(table.weight)
        optimizer = AdamW([{"params": [table.weight], "lr": 1e-4, "weight_decay": 0.0}], max_grad_norm=1e9)
        with embeddings_by_row(table) if by_row else nullcontext():
            for step in range(100):
                table(torch.tensor([3, 5])).float().sum().backward()
                optimizer.step(1.0)
                if changed:
                    if step == 50:
                        table.weight.data[5] = 0.25
                    optimizer.sync_masters()
        tables.append(table.weight.detach().float())
    # 49 steps of 1e-4 after the change; neighbouring bf16 numbers below 0.25 are 2^-10 apart.
    assert (tables[1][5] - (0.25 - 49e-4)).abs().max() <= 2**-10
    assert torch.equal(tables[0][3], tables[1][3]), "steps too small for bf16 add up all the same"
    assert tables[0][3, 0] < 1


@pytest.mark.parametrize("where", ["groups[1] and groups[0] hold", "groups[0] holds twice"])
def test_a_weight_is_in_one_group_once(where: str) -> None:
    weight = nn.Parameter(torch.ones(2, 3))
    twice = where.endswith("twice")
    params = [[weight, weight]] if twice else [[weight], [weight]]
    with pytest.raises(PluginError, match=re.escape(f"{where} a weight of shape (2, 3)")):
        AdamW([{"params": part, "lr": 0.1, "weight_decay": 0.0} for part in params], 1.0)


def test_it_returns_the_length_before_clipping_and_drops_the_gradients() -> None:
    model = Bag().double()
    optimizer = AdamW(_groups(model, 0.0), max_grad_norm=0.1)
    _loss(model, 0).backward()
    expected = torch.linalg.vector_norm(torch.cat([p.grad.reshape(-1) for p in model.parameters()]))
    assert_same_in_fp64(optimizer.step(1.0), expected)
    assert all(p.grad is None for p in model.parameters())


def test_the_factor_scales_the_learning_rate() -> None:
    model = Bag()
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = AdamW(_groups(model, 0.1), max_grad_norm=1.0)
    _loss(model, 0).backward()
    optimizer.step(0.0)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))


def test_weights_without_a_gradient_stay() -> None:
    used, unused = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = AdamW([{"params": [used, unused], "lr": 0.1, "weight_decay": 0.1}], 1.0)
    used.sum().backward()
    optimizer.step(1.0)
    assert unused.tolist() == [1, 1]
    assert used.tolist() != [1, 1]


def test_a_weight_that_is_also_used_densely_is_moved_as_a_whole() -> None:
    model = Bag()
    optimizer = AdamW(_groups(model, 0.0), max_grad_norm=1e9)
    with embeddings_by_row(model):
        _loss(model, 0).backward()
        optimizer.step(1.0)
        (_loss(model, 1) + model.words.weight.square().sum()).backward()
        optimizer.step(1.0)
    assert (model.words.weight != Bag().words.weight).all(1).sum() >= MANY_ROWS - 1


@pytest.mark.parametrize("why", ["tied", "small", "frozen"])
def test_other_embeddings_stay_dense(why: str) -> None:
    model = Bag()
    if why == "tied":
        model.out = nn.Linear(6, MANY_ROWS, bias=False)
        model.out.weight = model.words.weight
    elif why == "small":
        model.words = nn.Embedding(MANY_ROWS - 1, 6)
    else:
        model.words.weight.requires_grad_(False)
    with embeddings_by_row(model):
        assert not model.words.sparse


def test_a_table_that_is_lent_to_other_modules_is_moved_as_a_whole() -> None:
    """A decoder may share the embeddings of its encoder, both as input and output layer, without its own weight."""
    model = Bag()
    model.borrower = nn.Embedding(MANY_ROWS, 6)
    model.borrower._parameters["weight"] = None
    groups = groups_of(model, 0.1)
    assert sum(weight is model.words.weight for group in groups for weight in group["params"]) == 1
    assert next(g for g in groups if any(w is model.words.weight for w in g["params"]))["weight_decay"] == 0
    optimizer = AdamW(groups, max_grad_norm=1e9)
    with embeddings_by_row(model):
        written = nn.functional.linear(torch.ones(1, 6), model.words.weight).square().sum()
        (_loss(model, 0) + written).backward()
        optimizer.step(1.0)
    assert (model.words.weight != Bag().words.weight).all(1).sum() >= MANY_ROWS - 1
    assert not model.borrower.sparse


def test_embeddings_are_as_before_after_an_error() -> None:
    model = Bag()

    def fail() -> None:
        with embeddings_by_row(model):
            assert model.words.sparse
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert not model.words.sparse
