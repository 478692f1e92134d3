from __future__ import annotations

import numpy as np
import pytest
import torch

from tlbench import Answer, Example, Examples, PluginError
from tlbench.modeling.data import Data
from tlbench.modeling.encoder import Hidden
from tlbench.modeling.heads import Outputs, SpanHead

CONTEXT = "Ada Moss was born in Bree, near the old mill by the river."
QUESTION = 4
"""Positions before the context: a class token, two words and a separator."""


def offsets(context: str, first: int = 0, last: int | None = None) -> np.ndarray:
    """Returns the characters of a row's positions: question, words first to last of the context, and a separator."""
    places, at = [], 0
    for word in context.split():
        at = context.index(word, at)
        places.append((at, at + len(word)))
        at += len(word)
    outside = (-1, -1)
    return np.array([*[outside] * QUESTION, *places[first:last], outside])


def span_data(examples: Examples, owners: list[int], alignment: list[np.ndarray]) -> Data:
    lengths = np.array([len(row) for row in alignment])
    return Data(examples, alignment, list, lengths, np.array(owners), "made", alignment=alignment)


def questions(*targets: tuple[Answer, ...] | None) -> Examples:
    return Examples(Example(f"q{i}", ("where then", CONTEXT), target) for i, target in enumerate(targets))


def answer(text: str) -> Answer:
    return Answer(text, CONTEXT.index(text))


def official(rows: list[tuple[np.ndarray, np.ndarray]], context: str, may_be_empty: bool) -> str:
    """What run_qa's `postprocess_qa_predictions` of transformers answers for the rows of one question."""
    candidates, null = [], None
    for places, logits in rows:
        start, end = logits[:, 0], logits[:, 1]
        if null is None or null > start[0] + end[0]:
            null = start[0] + end[0]
        for first in np.argsort(start)[-1:-21:-1].tolist():
            for last in np.argsort(end)[-1:-21:-1].tolist():
                if max(first, last) >= len(places) or places[first][0] < 0 or places[last][0] < 0:
                    continue
                if last < first or last - first + 1 > 30:
                    continue
                candidates.append((start[first] + end[last], places[first][0], places[last][1]))
    best = max(candidates, key=lambda one: one[0])
    return "" if may_be_empty and null > best[0] else context[best[1] : best[2]]


@pytest.mark.parametrize("may_be_empty", [False, True])
def test_answers_equal_those_of_the_postprocessing_in_transformers(may_be_empty):
    draw = np.random.default_rng(0)
    windows = [offsets(CONTEXT, 0, 6), offsets(CONTEXT, 4, 10), offsets(CONTEXT, 8)]
    examples = questions(*[()] * 40) if may_be_empty else questions(*[(answer("Bree"),)] * 40)
    data = span_data(examples, [i for i in range(40) for _ in windows], windows * 40)
    head = SpanHead(4)
    head.prepare(data)
    # rows come padded to the longest of their batch, which no answer may reach into
    rows = [draw.normal(size=(len(places) + 2, 2)).astype(np.float32) * 4 for places in data.alignment]
    for row in rows:
        row[-2:] = -1e4
        row[0] += 4
    predicted = head.merge([Outputs(rows[:50]), Outputs(rows[50:])], data).values.tolist()
    pairs = list(zip(windows * 40, rows, strict=True))
    expected = [official(pairs[3 * i : 3 * i + 3], CONTEXT, may_be_empty) for i in range(40)]
    assert predicted == expected
    assert ("" in predicted) == may_be_empty
    assert len(set(predicted)) > 15


def test_an_answer_is_a_substring_of_the_original_context():
    data = span_data(questions((answer("Bree"),)), [0], [offsets(CONTEXT)])
    logits = np.zeros((len(data.alignment[0]), 2), dtype=np.float32)
    logits[QUESTION, 0] = logits[QUESTION + 1, 1] = 5.0
    assert SpanHead(4).merge([Outputs([logits])], data).values.tolist() == ["Ada Moss"]


def test_a_question_gets_an_answer_even_where_the_best_starts_come_after_the_best_ends():
    words = " ".join(f"w{i}" for i in range(60))
    data = span_data(Examples([Example("q", ("where then", words), ())]), [0], [offsets(words)])
    logits = np.zeros((len(data.alignment[0]), 2), dtype=np.float32)
    logits[-25:, 0], logits[QUESTION : QUESTION + 25, 1] = 5.0, 5.0
    predicted = SpanHead(4).merge([Outputs([logits])], data).values[0]
    assert predicted
    assert predicted in words
    assert len(predicted.split()) <= 30


def test_a_context_without_a_token_has_no_answer():
    data = span_data(questions(()), [0], [np.full((5, 2), -1)])
    assert SpanHead(4).merge([Outputs([np.zeros((5, 2), np.float32)])], data).values.tolist() == [""]


def test_targets_are_first_and_last_position_in_the_windows_that_hold_the_answer():
    born, mill = answer("Bree"), answer("the old mill")
    data = span_data(
        questions((born,), (mill, born), ()),
        [0, 0, 1, 1, 2],
        [offsets(CONTEXT, 0, 6), offsets(CONTEXT, 6), offsets(CONTEXT, 0, 7), offsets(CONTEXT, 6), offsets(CONTEXT)],
    )
    targets = SpanHead(4).targets(data)
    # "Bree," is one word here, so that the answer ends within a position
    assert targets.tolist() == [[9, 9], [0, 0], [9, 9], [5, 7], [0, 0]]
    first, last = targets[3].tolist()
    assert CONTEXT[data.alignment[3][first, 0] : data.alignment[3][last, 1]] == "the old mill"


def test_the_loss_is_the_mean_of_both_ends_and_padding_does_not_count():
    torch.manual_seed(0)
    head = SpanHead(6, dropout=0.0)
    x, mask = torch.randn(2, 5, 6), torch.tensor([[True] * 5, [True, True, True, False, False]])
    targets = torch.tensor([[1, 3], [0, 2]])
    loss = head.loss(head(None, Hidden(x, mask)), targets)
    parts = []
    for row, length in ((0, 5), (1, 3)):
        alone = head(None, Hidden(x[row : row + 1, :length]))[0]
        parts += [torch.nn.functional.cross_entropy(alone[:, k], targets[row, k]) for k in (0, 1)]
    assert torch.isclose(loss, torch.stack(parts).mean())
    x[1, 3:] = 1e3
    assert torch.equal(head.loss(head(None, Hidden(x, mask)), targets), loss)


def test_answers_are_empty_only_if_a_training_question_has_none():
    head = SpanHead(4)
    places = offsets(CONTEXT)
    logits = np.zeros((len(places), 2), dtype=np.float32)
    logits[0], logits[QUESTION] = 9.0, 1.0
    data = span_data(questions((answer("Ada"),)), [0], [places])
    head.prepare(data)
    assert head.merge([Outputs([logits])], data).values.tolist() == ["Ada"]
    head.prepare(span_data(questions((answer("Ada"),), ()), [0, 1], [places, places]))
    assert head.merge([Outputs([logits])], data).values.tolist() == [""]
    restored = SpanHead(4)
    restored.load_state_dict(head.state_dict())
    assert restored.merge([Outputs([logits])], data).values.tolist() == [""]


def test_logits_that_are_not_finite_are_noticed():
    head = SpanHead(4)
    assert head.outputs(torch.zeros(2, 3, 2)).is_finite
    assert not head.outputs(torch.full((2, 3, 2), torch.nan)).is_finite


def test_data_without_answers_or_alignment_is_refused():
    data = span_data(questions(None), [0], [offsets(CONTEXT)])
    with pytest.raises(ValueError, match="unlabelled"):
        SpanHead(4).targets(data)
    with pytest.raises(PluginError, match="alignment"):
        SpanHead(4).targets(Data(data.examples, [0], list, np.array([1]), np.array([0]), "made"))
