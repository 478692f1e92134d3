from __future__ import annotations

import numpy as np
import pytest
import torch

from tlbench import Example, Examples, PluginError, TokenClasses
from tlbench.modeling.data import Data
from tlbench.modeling.encoder import Hidden
from tlbench.modeling.heads import Outputs, TokenHead

OUTPUT = TokenClasses(("B-x", "I-x", "O"))


def words(*targets: tuple[int, ...] | None, counts: tuple[int, ...] = ()) -> Examples:
    sizes = counts or tuple(len(target) for target in targets)
    return Examples(Example(f"e{i}", (("w",) * n,), t) for i, (n, t) in enumerate(zip(sizes, targets, strict=True)))


def aligned(examples: Examples, owners: list[int], alignment: list[list[int]] | None) -> Data:
    rows = [np.zeros(len(row)) for row in alignment or [[0]] * len(owners)]
    return Data(
        examples, rows, list, np.array([len(row) for row in rows]), np.array(owners), "made",
        alignment=None if alignment is None else [np.array(row) for row in alignment],
    )  # fmt: skip


def outputs_of(*rows: list[float]) -> Outputs:
    return Outputs([np.array(row, dtype=np.float32) for row in rows])


def test_targets_are_set_where_words_begin_and_ignored_elsewhere():
    data = aligned(words((0, 1, 2), (1,)), [0, 0, 1], [[-1, 0, -1, 1, -1], [-1, 2, -1], [0]])
    assert TokenHead(4, OUTPUT).targets(data).tolist() == [
        [-100, 0, -100, 1, -100],
        [-100, 2, -100, -100, -100],
        [1, -100, -100, -100, -100],
    ]


def test_outputs_of_windows_are_merged_into_one_class_per_word():
    data = aligned(words((0, 1, 2), (1,)), [0, 0, 1], [[-1, 0, -1, 1, -1], [-1, 2, -1], [0]])
    # rows come padded to the longest of their batch
    predictions = TokenHead(4, OUTPUT).merge([outputs_of([2, 0, 2, 1, 2], [2, 0, 2, 2, 2]), outputs_of([1, 0])], data)
    assert predictions.ids == ("e0", "e1")
    assert predictions.values.dtype == object
    assert predictions.values.tolist() == [(0, 1, 0), (1,)]


def test_a_word_without_a_token_is_predicted_as_outside():
    data = aligned(words((0, 1, 0), ()), [0, 1], [[-1, 0, 2, -1], [-1]])
    assert TokenHead(4, OUTPUT).merge([outputs_of([1, 1, 0, 1], [0])], data).values.tolist() == [(1, 2, 0), ()]
    without = TokenHead(4, TokenClasses(("noun", "verb")))
    assert without.merge([outputs_of([1, 1, 1, 1], [0])], data).values.tolist() == [(1, 0, 1), ()]


def test_the_loss_is_the_mean_over_words_and_padding_does_not_count():
    torch.manual_seed(0)
    head, logits = TokenHead(4, OUTPUT), torch.randn(2, 3, 3)
    targets = torch.tensor([[-100, 2, 0, -100, -100], [1, -100, -100, -100, -100]])
    chosen = torch.stack([logits[0, 1], logits[0, 2], logits[1, 0]])
    expected = torch.nn.functional.cross_entropy(chosen, torch.tensor([2, 0, 1]))
    assert torch.isclose(head.loss(logits, targets), expected)
    logits[1, 1:] = 1e6
    assert torch.isclose(head.loss(logits, targets), expected)


def test_the_loss_of_a_batch_without_words_is_zero_and_not_nan():
    logits = torch.randn(1, 2, 3, requires_grad=True)
    loss = TokenHead(4, OUTPUT).loss(logits, torch.full((1, 4), -100))
    loss.backward()
    assert loss.item() == 0.0
    assert not logits.grad.any()


def test_logits_that_are_not_finite_are_noticed():
    head = TokenHead(4, OUTPUT)
    logits = torch.zeros(2, 3, 3)
    assert head.outputs(logits).is_finite
    logits[1, 2, 0] = torch.nan
    assert not head.outputs(logits).is_finite
    logits[1, 2, 0] = torch.inf
    assert not head.outputs(logits).is_finite


def test_the_class_of_each_position_comes_from_its_own_hidden_state():
    head = TokenHead(3, OUTPUT, dropout=0.0)
    with torch.no_grad():
        head.linear.weight.copy_(torch.eye(3))
    x = torch.eye(3)[torch.tensor([[2, 0, 1], [1, 1, 0]])]
    rows = head.outputs(head(None, Hidden(x))).values
    assert [row.tolist() for row in rows] == [[2, 0, 1], [1, 1, 0]]


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        (words(None, counts=(2,)), "unlabelled"),
        (words((0, 1, 1), counts=(2,)), "e0 has 2 words and 3 classes"),
    ],
)
def test_missing_targets_and_targets_of_another_length_are_refused(examples, message):
    with pytest.raises(ValueError, match=message):
        TokenHead(4, OUTPUT).targets(aligned(examples, [0], [[-1, 0, 1]]))


def test_data_without_an_alignment_is_an_error_of_the_plugin():
    with pytest.raises(PluginError, match="alignment"):
        TokenHead(4, OUTPUT).targets(aligned(words((0,)), [0], None))
