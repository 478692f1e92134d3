"""Invalid, contradictory and similar labels, and rare, absent and unbalanced classes, are counted and named."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

from tlbench import Answer, Classes, Example, Examples, MultiLabel, Output, Scalar, Span, TokenClasses
from tlbench.data.checks.check_finding import CheckedData
from tlbench.data.checks.target_checks import (
    conflicting_labels,
    invalid_targets,
    rare_classes,
    similar_labels,
    unbalanced_classes,
)

ABC = Classes(("a", "b", "c"))


def rows(split, targets, inputs=None):
    return Examples(
        Example(f"{split}-{i}", ((inputs or {}).get(i, f"{split} text {i}"),), target)
        for i, target in enumerate(targets)
    )


def data(output=ABC, options=(), metric="accuracy", labelled=("train", "validation"), **targets):
    splits = {split: rows(split, each) for split, each in targets.items()}
    return CheckedData(splits, output, labelled, frozenset(options), metric)


def pairs(output, *pairs_of, labelled=("train",)):
    examples = Examples(Example(str(i), (text,), target) for i, (text, target) in enumerate(pairs_of))
    return CheckedData({"train": examples}, output, labelled)


@pytest.mark.parametrize(
    ("output", "good", "bad"),
    [(ABC, 2, 3), (ABC, 0, None), (Scalar(), 1.5, float("nan")), (MultiLabel(("x", "y")), (0, 1), (0, 1, 1))],
)
def test_targets_that_do_not_fit_the_output(output, good, bad):
    (found,) = invalid_targets(data(output, train=[good, bad, good], validation=[good]))
    assert (found.kind, found.severity, found.examples) == ("invalid-label", "warning", ("train-1",))
    assert found.message == "1 of 3 train rows has no valid label"


def test_the_other_checks_leave_invalid_targets_out():
    checked = data(train=[0] * 10 + [1] * 10 + [2] * 10 + [7, None])
    assert rare_classes(checked) == []
    assert checked.class_counts == {"train": {"a": 10, "b": 10, "c": 10}}


def test_class_names_that_look_alike():
    output = Classes(("yes", "no", "Yes\u200b"))
    (found,) = similar_labels(data(output, train=[0]))
    assert (found.kind, found.severity, found.count) == ("similar-labels", "warning", 1)
    assert found.examples == (r"'yes' and 'Yes\u200b'",)
    assert found.advice == "join them if they are one class"
    assert similar_labels(data(output, ["normalize"], train=[0]))[0].advice == "normalize=true joins them"
    assert similar_labels(data(train=[0])) == []


@pytest.mark.parametrize(
    ("output", "one", "other"),
    [(ABC, 0, 1), (MultiLabel(("x", "y")), (0, 1), (1, 1)), (Scalar(), 1.0, 2.0), (TokenClasses(("O",)), None, None)],
)
def test_equal_inputs_with_different_labels(output, one, other):
    if isinstance(output, TokenClasses):
        output, one, other = TokenClasses(("O", "B")), (0, 0), (0, 1)
        texts = ("a", "b"), ("c", "d")
    else:
        texts = "same", "else"
    (found,) = conflicting_labels(pairs(output, (texts[0], one), (texts[1], one), (texts[0], other), (texts[0], one)))
    assert (found.kind, found.severity, found.count, found.examples) == ("conflicting-labels", "warning", 1, ("0",))
    assert found.message == "1 input has different labels in different rows"
    assert conflicting_labels(pairs(output, (texts[0], one), (texts[1], other), (texts[0], one))) == []


def test_labels_that_conflict_between_splits_count_where_they_may_be_read():
    train, test = rows("train", [0, 1], {0: "same"}), rows("test", [1, 1], {0: "same"})
    splits = {"train": train, "test": test}
    assert conflicting_labels(CheckedData(splits, ABC)) == []
    (found,) = conflicting_labels(CheckedData(splits, ABC, ("train", "test")))
    assert found.examples == ("train-0",)


def test_several_answers_to_a_question_are_no_conflict():
    one, other = (Answer("a", 0),), (Answer("b", 2),)
    examples = Examples(Example(str(i), ("which?", "a b"), target) for i, target in enumerate((one, other)))
    assert conflicting_labels(CheckedData({"train": examples}, Span())) == []


def test_rare_and_absent_classes():
    found = rare_classes(data(train=[0] * 10 + [1] * 9, validation=[0, 2], test=[None]))
    assert [(each.kind, each.message, each.examples) for each in found] == [
        ("absent-class", "1 of 3 classes has no train row", ("c",)),
        ("rare-class", "1 of 3 classes has fewer than 10 train rows", ("b (9)",)),
        ("absent-class", "1 of 3 classes has no validation row", ("b",)),
    ]
    assert {each.severity for each in found} == {"warning"}
    assert found[1].advice == "label more rows of them, or join them with others"
    joinable = rare_classes(data(options=["map"], train=[0] * 10 + [1] * 9))
    assert joinable[1].advice == "label more rows of them, or join them with others, as map=rare:other does"


def test_classes_of_the_test_split_are_counted_only_where_its_labels_may_be_read():
    enough = [0] * 10 + [1] * 10 + [2] * 10
    assert rare_classes(data(train=enough, validation=enough, test=[0])) == []
    (found,) = rare_classes(data(labelled=("train", "validation", "test"), train=enough, validation=enough, test=[0]))
    assert (found.message, found.examples) == ("2 of 3 classes have no test row", ("b", "c"))


def test_rows_and_not_labels_are_counted():
    labels = MultiLabel(("x", "y"))
    (found,) = rare_classes(data(labels, train=[(1, 1)] * 9 + [(1, 0)] * 9))
    assert found.examples == ("y (9)",)
    tags = TokenClasses(("O", "B"))
    sentences = Examples(Example(str(i), (("w", "w", "w"),), (0, 1, 1)) for i in range(9))
    (found,) = rare_classes(CheckedData({"train": sentences}, tags))
    assert found.examples == ("B (9)", "O (9)")


def test_unbalanced_classes():
    (found,) = unbalanced_classes(data(train=[0] * 30 + [1] * 10 + [2] * 3))
    assert (found.kind, found.severity, found.examples) == ("unbalanced-classes", "warning", ("a", "c"))
    assert found.message == "unbalanced classes in train: the largest has 69.8% of the rows, the smallest 7.0%"
    # A class without rows is absent, which is another finding.
    assert unbalanced_classes(data(train=[0] * 29 + [1] * 3)) == []


def test_the_advice_on_unbalanced_classes_names_what_there_is():
    targets = [0] * 30 + [1]
    (found,) = unbalanced_classes(data(train=targets), ["linear-probe"])
    assert found.advice == (
        "-S 'linear-probe[class_weight=balanced]' weights them equally; "
        "f1_macro counts every class alike, where accuracy hides the small ones"
    )
    (found,) = unbalanced_classes(data(options=["metric"], train=targets))
    assert found.advice == "metric=f1_macro counts every class alike, where accuracy hides the small ones"
    assert unbalanced_classes(data(metric="f1_macro", train=targets))[0].advice == ""


def test_rare_labels_are_usual_where_a_row_has_several():
    assert unbalanced_classes(data(MultiLabel(("x", "y")), train=[(1, 0)] * 30 + [(1, 1)])) == []


@dataclass(frozen=True)
class Grade(Output):
    """A kind of output that tlbench does not know."""

    names: tuple[str, ...]
    kind: ClassVar[str] = "grade"

    @property
    def classes(self):
        return self.names

    def target_error(self, example):
        return None if example.target in self.names else "not a grade"

    def class_indices(self, target):
        return {self.names.index(target)}


def test_kinds_of_output_of_plugins():
    grades = Grade(("good", "poor"))
    checked = data(grades, train=["good"] * 20 + ["poor"] * 2 + ["bad"], validation=["good"])
    assert [each.examples for each in invalid_targets(checked)] == [("train-22",)]
    assert [each.examples for each in rare_classes(checked)] == [("poor (2)",), ("poor",)]
    assert [each.examples for each in unbalanced_classes(checked)] == [("good", "poor")]
