"""Which answers are exactly right, for each form of predictions."""

import numpy as np

from tlbench.metrics.scored import objects
from tlbench.results.comparison.right_answers import accepted_answers, from_outcomes, right_answers
from tlbench.results.stats import CellPredictions


def predictions(targets, *fits):
    ids = tuple("abcdefgh"[: len(targets)])
    return CellPredictions(ids, targets, np.stack(fits), tuple(range(len(fits))))


def test_classes_labels_tags_and_texts_are_right_if_they_are_equal():
    classes = predictions(np.array([0, 1, 2]), np.array([0, 2, 2]), np.array([1, 1, 1]))
    assert right_answers(classes).tolist() == [[True, False, True], [False, True, False]]
    labels = predictions(np.array([[0, 1], [1, 1]]), np.array([[0, 1], [1, 0]]))
    assert right_answers(labels).tolist() == [[True, False]]
    tags = predictions(objects([("O", "B"), ("O",)]), objects([("O", "B"), ("B",)]))
    assert right_answers(tags).tolist() == [[True, False]]
    texts = predictions(objects([("yes", "sure"), (), ()]), objects(["sure", "", "no"]))
    assert right_answers(texts).tolist() == [[True, True, False]]
    assert right_answers(predictions(np.array([0.5, 1.0]), np.array([0.5, 1.0]))) is None


def test_an_answer_is_a_class_s_name_or_its_index_where_that_is_no_name():
    classes = predictions(np.array([0, 1, 1]), np.array([0, 1, 0]))
    assert accepted_answers(classes, ("neg", "pos")) == {"a": {"neg", "0"}, "b": {"pos", "1"}, "c": {"pos", "1"}}
    # Stars from 1 to 2: "1" is the name of the class with the index 0.
    assert accepted_answers(classes, ("1", "2")) == {"a": {"1"}, "b": {"2"}, "c": {"2"}}
    assert accepted_answers(classes, ()) == {"a": {"0"}, "b": {"1"}, "c": {"1"}}
    texts = predictions(objects([("yes", "sure"), ()]), objects(["sure", ""]))
    assert accepted_answers(texts, ()) == {"a": {"yes", "sure"}, "b": set()}
    assert accepted_answers(predictions(np.array([0.5]), np.array([0.5])), ()) is None


def test_outcomes_are_in_order_of_ids():
    made = from_outcomes(["b", "a"], np.array([[True, False]]))
    assert (made.ids, made.values.tolist(), made.targets.tolist()) == (("a", "b"), [[0, 1]], [1, 1])
