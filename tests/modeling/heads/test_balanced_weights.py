"""Class weights: the formula of scikit-learn, and weighted losses of heads as torch defines them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from tlbench.contracts.errors import PluginError
from tlbench.contracts.outputs import Classes, MultiLabel, Scalar, TokenClasses
from tlbench.modeling.heads import PooledHead, SpanHead, TokenHead
from tlbench.modeling.heads.balanced_weights import balanced_weights

pytestmark = pytest.mark.equivalence


def test_the_formula_is_scikit_learns() -> None:
    targets = torch.tensor([[3, 0, 0, -100], [0, 3, 1, 0]])
    known = targets[targets >= 0].numpy()
    theirs = compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=known)
    weights = balanced_weights(targets, 5)
    assert weights[[0, 1, 3]].tolist() == theirs.tolist()
    assert weights[[2, 4]].tolist() == [1, 1]
    assert weights[torch.from_numpy(known)].sum().item() == pytest.approx(len(known))


def test_a_heads_weighted_loss_is_torchs() -> None:
    generator = torch.Generator().manual_seed(0)
    weights = torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64)
    logits = torch.randn(8, 3, generator=generator)
    targets = torch.tensor([0, 0, 2, 1, 0, 2, 0, 1])
    head = PooledHead(4, Classes(("a", "b", "c")))
    before = head.loss(logits, targets)
    assert torch.equal(before, nn.functional.cross_entropy(logits, targets))
    head.weigh_classes(weights)
    assert torch.equal(head.loss(logits, targets), nn.CrossEntropyLoss(weights.float())(logits, targets))
    assert not torch.isclose(head.loss(logits, targets), before)
    assert "class_weights" not in "".join(name for name, _ in head.named_buffers())

    words = TokenHead(4, TokenClasses(("O", "B-a", "I-a")))
    words.weigh_classes(weights)
    per_word = torch.tensor([[0, 2, -100, 1], [0, 0, 1, -100]])
    theirs = nn.CrossEntropyLoss(weights.float())(logits.view(2, 4, 3).flatten(0, 1), per_word.flatten())
    assert torch.allclose(words.loss(logits.view(2, 4, 3), per_word), theirs, rtol=1e-6)
    # A window without a word has no loss, and not 0/0.
    assert words.loss(logits.view(2, 4, 3), torch.full((2, 4), -100)).item() == 0


@pytest.mark.parametrize("head", [PooledHead(4, Scalar()), PooledHead(4, MultiLabel(("a", "b"))), SpanHead(4)])
def test_a_head_without_classes_refuses_weights(head: PooledHead | SpanHead) -> None:
    with pytest.raises(PluginError, match="has no class weights: leave class_weight out"):
        head.weigh_classes(torch.ones(2))
