"""The classification report, pooled over seeds, against scikit-learn and seqeval."""

import numpy as np
import pytest

from tlbench import Classes, MultiLabel, Scalar, Span, Text, TokenClasses
from tlbench.metrics.class_report import report_of
from tlbench.metrics.scored import Scored


def class_report(output, seeds):
    return report_of(output, seeds)


def rows(report):
    return {row.name: (row.precision, row.recall, row.f1, row.support) for row in report.classes}


def test_classes_are_counted_over_seeds():
    targets = np.array([0, 0, 1, 1, 2])
    seeds = [Scored(targets, np.array([0, 1, 1, 1, 0])), Scored(targets, np.array([0, 0, 1, 1, 0]))]
    report = class_report(Classes(("a", "b", "c")), seeds)
    assert rows(report) == {
        "a": (pytest.approx(3 / 5), pytest.approx(3 / 4), pytest.approx(2 / 3), 2),
        "b": (pytest.approx(4 / 5), 1, pytest.approx(8 / 9), 2),
        "c": (0, 0, 0, 1),
    }
    assert report.names == ("a", "b", "c")
    assert report.confusion == ((0, 0, 3), (0, 1, 1), (1, 1, 4), (2, 0, 2))


def test_it_equals_scikit_learn():
    from sklearn.metrics import classification_report

    rng = np.random.default_rng(0)
    targets, values = rng.integers(0, 5, (2, 200))
    names = tuple("abcde")
    theirs = classification_report(targets, values, target_names=names, output_dict=True, zero_division=0)
    for name, scores in rows(class_report(Classes(names), [Scored(targets, values)])).items():
        assert scores == pytest.approx([theirs[name][key] for key in ("precision", "recall", "f1-score", "support")])


def test_labels_are_counted_each_for_itself():
    report = class_report(MultiLabel(("a", "b")), [Scored(np.array([[1, 0], [1, 1]]), np.array([[1, 1], [0, 1]]))])
    assert rows(report) == {"a": (1, 0.5, pytest.approx(2 / 3), 2), "b": (0.5, 1, pytest.approx(2 / 3), 1)}
    assert (report.names, report.confusion) == ((), ())


def test_of_words_entities_are_counted_and_tags_confused():
    from seqeval.metrics import classification_report

    output = TokenClasses(("O", "B-PER", "I-PER", "B-LOC"))
    targets = [("B-PER", "I-PER", "O"), ("B-LOC", "O")]
    values = [("B-PER", "O", "O"), ("B-LOC", "B-PER")]
    report = class_report(output, [Scored(targets, values)])
    theirs = classification_report(
        [list(t) for t in targets], [list(v) for v in values], output_dict=True, zero_division=0
    )
    keys = ("precision", "recall", "f1-score", "support")
    assert rows(report) == {kind: tuple(theirs[kind][key] for key in keys) for kind in ("LOC", "PER")}
    assert report.names == output.names
    assert report.confusion == ((0, 0, 1), (0, 1, 1), (1, 1, 1), (2, 0, 1), (3, 3, 1))


def test_tags_that_mark_no_entities_are_classes():
    report = class_report(TokenClasses(("NOUN", "VERB")), [Scored([("NOUN", "VERB")], [("NOUN", "NOUN")])])
    assert rows(report) == {"NOUN": (0.5, 1, pytest.approx(2 / 3), 1), "VERB": (0, 0, 0, 1)}


@pytest.mark.parametrize("output", [Scalar(), Span(), Text()])
def test_outputs_without_classes_have_an_empty_report(output):
    assert class_report(output, [Scored([("a",)], ["a"])]).classes == ()
