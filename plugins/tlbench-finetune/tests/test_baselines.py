"""The baselines of tlbench-finetune: their predictions for each kind of output."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from tlbench_finetune.baselines.lead import Lead
from tlbench_finetune.baselines.majority import Majority
from tlbench_finetune.baselines.word_majority import WordMajority

from tlbench import (
    Answer,
    Classes,
    Example,
    Examples,
    PluginError,
    Predictions,
    Protocol,
    Scalar,
    Span,
    Strategy,
    Text,
    TokenClasses,
)
from tlbench.modeling.data import bare
from tlbench.testing.jobs import make_job
from tlbench.testing.toys import ToyTask

PROTOCOL = Protocol(max_steps=6, precision="fp32")
TAGS = TokenClasses(("O", "B-place", "I-place"))


def _predict(
    strategy: Strategy, output: Any, train: Sequence[tuple[tuple[Any, ...], Any]], test: Sequence[tuple[Any, ...]]
) -> Predictions:
    """Returns the strategy's predictions for the inputs `test`, after a fit on these inputs and targets."""
    job = make_job(Majority(), None, ToyTask(), protocol=PROTOCOL)
    data = bare(Examples(Example(str(i), inputs, target) for i, (inputs, target) in enumerate(train)))
    info = dataclasses.replace(job.task, output=output)
    predictor = strategy.fit(dataclasses.replace(job, train=data, task=info))
    assert data.meter.rows == len(train)
    predictions = predictor.predict(bare(Examples(Example(f"test-{i}", inputs) for i, inputs in enumerate(test))))
    assert predictions.ids == tuple(f"test-{i}" for i in range(len(test)))
    return predictions


def test_majority_gives_every_example_the_same_answer_with_frequencies_as_probabilities() -> None:
    train = [(("x",), target) for target in (2, 0, 2, 1)]
    predictions = _predict(Majority(), Classes(("a", "b", "c")), train, [("y",), ("z",)])
    assert predictions.values.tolist() == [2, 2]
    np.testing.assert_allclose(predictions.scores, [[0.25, 0.25, 0.5]] * 2)


def test_majority_gives_every_word_one_tag() -> None:
    predictions = _predict(Majority(), TAGS, [((("a", "b"),), (0, 1)), ((("c",),), (0,))], [(("x", "y"),), ((),)])
    assert predictions.values.tolist() == [(0, 0), ()]


def test_word_majority_is_each_words_most_frequent_class() -> None:
    train = [
        ((("in", "New", "York"),), (0, 1, 2)),
        ((("York", "is", "new"),), (1, 0, 0)),
        ((("to", "York"),), (0, 1)),
        ((("New",),), (0,)),
    ]
    test = [(("York", "New", "Berlin"),), ((),), (("is",),)]
    predictions = _predict(WordMajority(), TAGS, train, test)
    # York: B twice, I once; New: B and O once each, and O comes first; Berlin was never seen, and most words are O.
    assert predictions.values.tolist() == [(1, 0, 0), (), (0,)]
    assert predictions.values.dtype == object


def test_words_that_training_never_showed_get_the_most_frequent_class_of_all() -> None:
    train = [((("a", "b", "c"),), (2, 2, 0))]
    assert _predict(WordMajority(), TAGS, train, [(("d", "c"),)]).values.tolist() == [(2, 0)]


def test_lead_is_as_many_words_as_the_training_texts_have_in_the_median() -> None:
    train = [(("x",), ("one two three",)), (("x",), ("one", "one two  three four five six")), (("x",), ("one two",))]
    test = [("A longer\ttext\n with lines",), ("short",), ("",), ("  two   words here",)]
    predictions = _predict(Lead(), Text(), train, test)
    # 3, 1, 6 and 2 words: 2.5 in the median, and Python rounds halves to even numbers
    assert predictions.values.tolist() == ["A longer", "short", "", "two   words"]
    assert predictions.values.dtype == object


def test_lead_of_a_question_is_the_beginning_of_its_context() -> None:
    train = [(("who?", "Ada is here"), (Answer("Ada Moss Reed", 0),)), (("where?", "x"), (Answer("in Bree now", 0),))]
    assert _predict(Lead(), Span(), train, [("who was it?", "It was Bruno Nash, of course")]).values.tolist() == [
        "It was Bruno"
    ]


def test_lead_says_nothing_where_most_questions_have_no_answer() -> None:
    train = [(("who?", "x"), ())] * 2 + [(("who?", "x"), (Answer("Ada Moss", 0),))]
    assert _predict(Lead(), Span(), train, [("who?", "Ada is here")]).values.tolist() == [""]


def test_a_kind_without_a_baseline_is_refused() -> None:
    with pytest.raises(PluginError, match="Span"):
        _predict(Majority(), Span(), [(("q", "c"), ())], [("q", "c")])
    with pytest.raises(PluginError, match="Classes"):
        _predict(WordMajority(), Classes(("a", "b")), [(("q",), 1)], [("q",)])
    with pytest.raises(PluginError, match="Scalar"):
        _predict(Lead(), Scalar(), [(("q",), 1.0)], [("q",)])
