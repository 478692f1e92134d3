"""Conversion of predictions and targets to arrays, for every output kind."""

import numpy as np
import pytest

from tlbench import Answer, Classes, MultiLabel, PluginError, Predictions, Scalar, Span, Text, TokenClasses
from tlbench.metrics.resampling import score
from tlbench.metrics.scored import Scored, objects, probabilities
from tlbench.metrics.scored_arrays import scored_of

TAGS = TokenClasses(("O", "B-PER", "I-PER"))


def predictions_of(*values, scores=None):
    array = values[0] if isinstance(values[0], np.ndarray) else objects(values)
    return Predictions(tuple(f"e{i}" for i in range(len(array))), array, scores)


def test_classes_keep_their_probabilities_and_the_positive_class():
    scores = np.array([[0.2, 0.8], [0.6, 0.4]])
    scored = scored_of(Classes(("a", "b")), [1, 0], predictions_of(np.array([1, 1]), scores=scores), positive=0)
    assert (scored.kind, scored.positive) == ("numbers", 0)
    assert scored.targets.dtype == scored.values.dtype == np.int64
    assert scored.scores is scores


def test_numbers_labels_words_answers_and_texts():
    assert scored_of(Scalar(), [1, 2.5], predictions_of(np.array([1.0, 2.0], np.float32))).values.dtype == np.float64
    labels = scored_of(MultiLabel(("a", "b")), [(1, 0), (0, 0)], predictions_of(np.array([[1, 0], [0, 1]])))
    assert (labels.kind, labels.targets.tolist()) == ("labels", [[1, 0], [0, 0]])
    words = scored_of(TAGS, [(1, 2), (0,)], predictions_of((1, 0), (0,)))
    assert words.kind == "tags"
    assert (words.targets.tolist(), words.values.tolist()) == (
        [("B-PER", "I-PER"), ("O",)], [("B-PER", "O"), ("O",)],
    )  # fmt: skip
    answers = scored_of(Span(), [(Answer("in Rome", 3), Answer("Rome", 6)), ()], predictions_of("Rome", ""))
    assert (answers.kind, answers.targets.tolist()) == ("texts", [("in Rome", "Rome"), ()])
    assert score("exact_match", answers) == 1
    texts = scored_of(Text(), [("a b",), ("c", "d")], predictions_of("a b", "d"))
    assert (texts.targets.tolist(), texts.values.tolist()) == ([("a b",), ("c", "d")], ["a b", "d"])


@pytest.mark.parametrize(
    ("output", "targets", "predictions", "message"),
    [
        (Classes(("a", "b")), [0, 1], predictions_of(np.array([[0], [1]])), r"predictions \(2, 1\) should be \(2,\)"),
        (MultiLabel(("a", "b")), [(0, 1)], predictions_of(np.array([1])), r"predictions \(1,\) should be \(1, 2\)"),
        (TAGS, [(0, 1), (0, 0, 1)], predictions_of((0, 1), (0, 0)), "e1: 2 predictions for 3 words"),
        (Span(), [()], predictions_of(7), "e0: the prediction 7 is not a text"),
        (Text(), [("a",)], predictions_of("a", "b"), "2 predictions for 1 examples"),
    ],
)
def test_predictions_of_the_wrong_form_are_a_plugin_error(output, targets, predictions, message):
    with pytest.raises(PluginError, match=message):
        scored_of(output, targets, predictions)


def test_tuples_of_one_length_stay_tuples():
    array = objects([("a", "b"), ("c", "d")])
    assert (array.shape, array[0]) == ((2,), ("a", "b"))


def test_take_returns_a_subset_of_the_examples():
    whole = Scored([("O",), ("O", "O")], [("O",), ("O", "O")])
    assert whole.take(np.array([1, 1])).targets.tolist() == [("O", "O")] * 2
    scored = Scored(np.array([0, 1]), np.array([0, 0]), np.array([[1.0, 0.0], [0.75, 0.25]]), positive=0)
    part = scored.take(np.array([1]))
    assert (part.scores.tolist(), part.positive) == ([[0.75, 0.25]], 0)


def test_a_predictor_without_probabilities_is_certain():
    assert probabilities(Scored([2, 0], [1, 0])).tolist() == [[0, 1, 0], [1, 0, 0]]
    # In fp32 these sum to 1 only up to rounding.
    single = np.array([[0.3, 0.7]], np.float32)
    assert probabilities(Scored([1], [1], single)).sum() == pytest.approx(1, abs=1e-15)
    assert score("log_loss", Scored([0, 1], [0, 1])) == pytest.approx(0, abs=1e-12)
    assert score("log_loss", Scored([0, 1], [0, 0])) == pytest.approx(-np.log(np.finfo(np.float64).eps) / 2)
    assert score("calibration_error", Scored([0, 1], [0, 0])) == 0.5
    assert score("roc_auc", Scored([0, 0, 1, 1], [0, 1, 1, 1])) == 0.75
