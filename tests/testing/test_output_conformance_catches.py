"""The checks of kinds of output are shown some that break them, and tlbench's own that keep them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tlbench.contracts.fits.class_scores import ClassReport, ClassScore
from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import Answer, Classes, MultiLabel, Scalar, Span, Text, TokenClasses
from tlbench.contracts.task import Example
from tlbench.metrics import METRICS
from tlbench.metrics.scored_arrays import usual_arrays
from tlbench.testing.conformance import OutputConformance

NAMES = ("poor", "fair", "good")
CONTEXT = "it is in Arden"
TARGETS = {
    Classes(NAMES): (("accuracy", "f1_macro"), [i % 3 for i in range(6)]),
    MultiLabel(NAMES): (("f1_micro",), [(i & 1, i >> 1 & 1, i >> 2) for i in range(8)]),
    Scalar(): (("pearson", "mse"), [0.5 * i for i in range(6)]),
    TokenClasses(("O", "B-place")): (("entity_f1",), [(0, 1), (1, 0, 0), (1,), (0, 0, 1, 1)]),
    Span(): (("answer_f1", "exact_match"), [(Answer("Arden", 9),), (), (Answer("in Arden", 6), Answer("Arden", 9))]),
    Text(): (("rouge1",), [("a cat",), ("a dog", "the dog"), ("birds",)]),
}


def checks(output, targets, metrics=()):
    words = output.answers == "tags"
    examples = tuple(
        Example(f"e{i}", (tuple(CONTEXT[: len(target)]),) if words else ("where", CONTEXT), target)
        for i, target in enumerate(targets)
    )
    return type("Check", (OutputConformance,), {"output": output, "examples": examples, "metrics": metrics})()


@pytest.mark.parametrize("output", TARGETS, ids=lambda output: output.kind)
def test_tlbench_s_own_keep_what_is_checked(output):
    metrics, targets = TARGETS[output]
    check = checks(output, targets, [METRICS[name] for name in metrics])
    for name in dir(check):
        if name.startswith("test_") and name not in {"test_import_is_light", "test_default_head"}:
            getattr(check, name)()


@dataclass(frozen=True)
class Changed(Classes):
    """Classes whose arrays are changed."""

    how: str = ""

    def arrays(self, targets, predictions):
        asked, said = usual_arrays(self, targets, predictions)
        return {
            "answers as targets": lambda: (said, said),
            "targets as answers": lambda: (asked, asked),
            "answers between classes": lambda: (asked, said + 0.4),
            "all between classes": lambda: (asked + 0.4, said + 0.4),
            "other classes": lambda: ((asked + 1) % 3, (said + 1) % 3),
            "the other way round": lambda: (asked[::-1], said[::-1]),
        }[self.how]()

    def report(self, seeds):
        return ClassReport()


@pytest.mark.parametrize(
    ("how", "check", "message"),
    [
        (
            "answers as targets",
            "test_arrays_separate_targets_and_predictions",
            "the targets change with",
        ),
        (
            "targets as answers",
            "test_arrays_separate_targets_and_predictions",
            "a wrong prediction is 0, which equals the target",
        ),
        ("answers between classes", "test_arrays_separate_targets_and_predictions", r"right prediction is 0\.4"),
        ("all between classes", "test_arrays_separate_targets_and_predictions", r"the target 0\.4 is not whole"),
        (
            "other classes",
            "test_arrays_separate_targets_and_predictions",
            r"has \{1\}, `class_indices` gives \{0\}",
        ),
        ("the other way round", "test_arrays_depend_on_their_own_example", "e0 is 0 alone and 2 among others"),
        ("answers as targets", "test_wrong_answers_score_worse", "accuracy is 1.0 where half is wrong"),
    ],
)
def test_arrays_that_are_wrong_are_caught(how, check, message):
    with pytest.raises(AssertionError, match=message):
        getattr(checks(Changed(NAMES, how), [i % 3 for i in range(6)], [METRICS["accuracy"]]), check)()


def test_a_metric_that_does_not_look_at_the_answers_is_caught():
    class Always(Metric):
        name, label, outputs = "always", "always right", (Classes,)

        def statistics(self, scored):
            return np.ones((len(scored), 1))

        def value(self, sums):
            return np.ones(sums.shape[:-1])

    with pytest.raises(AssertionError, match=r"always is 1\.0 where half is wrong, 1\.0 where all is right"):
        checks(Classes(NAMES), [0, 1, 2], [Always()]).test_wrong_answers_score_worse()


def test_a_report_that_is_always_full_is_caught():
    @dataclass(frozen=True)
    class Full(Classes):
        def report(self, seeds):
            return ClassReport(tuple(ClassScore(name, 1.0, 1.0, 1.0, 1) for name in self.names))

    with pytest.raises(AssertionError, match="the report is the same for wrong predictions"):
        checks(Full(("a", "b")), [0, 1]).test_class_report()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strata": lambda self, targets: [0]}, "1 strata for 12 targets"),
        ({"strata": lambda self, targets: list(range(len(targets)))}, "equal targets are in different strata"),
        ({"undivided_inputs": lambda self, example: ()}, "no input says which examples are equal"),
    ],
)
def test_strata_that_cannot_be_are_caught(changes, message):
    output = type("Odd", (Classes,), changes)(NAMES)
    with pytest.raises(AssertionError, match=message):
        checks(output, [i % 3 for i in range(6)]).test_strata_and_equal_inputs()
