"""The constant answer with the best score, found by trying, agrees with what is known of each metric."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from tlbench_finetune.baselines.majority import Majority

from tlbench import METRICS, Classes, Metric, MultiLabel, PluginError, Predictions, Protocol, Scalar, Text, TokenClasses
from tlbench.metrics.best_constant import best_constant
from tlbench.metrics.resampling import score
from tlbench.metrics.scored_arrays import scored_of
from tlbench.testing.jobs import make_job
from tlbench.testing.toys import ToyTask

TWO, THREE = Classes(("no", "yes")), Classes(("a", "b", "c"))
LABELS = MultiLabel(("a", "b", "c"))
TAGS = TokenClasses(("O", "B-place", "I-place"))
# Label a in 4 of 6, b in 3, c in 1; the most frequent combination is (0, 1, 0).
ROWS = [(0, 1, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0), (1, 0, 1), (1, 0, 0), (0, 1, 0)]


@pytest.mark.parametrize(
    ("output", "metric", "targets", "positive", "answer"),
    [
        (TWO, "accuracy", [0, 0, 1], 1, 0),
        # F1 of the negative class as a constant is 0, however frequent it is.
        (TWO, "f1", [0, 0, 0, 1], 1, 1),
        (TWO, "f1", [1, 1, 1, 0], 0, 0),
        (TWO, "f1", [0, 1, 1, 0], 1, 1),
        (TWO, "accuracy", [1, 0, 1, 0], 1, 0),
        (TWO, "matthews", [1, 0, 1], 1, 1),
        (THREE, "f1_macro", [2, 0, 2, 1], 1, 2),
        # Every constant has a balanced accuracy of one third: the most frequent class, not the first.
        (THREE, "balanced_accuracy", [2, 0, 2, 1], 1, 2),
        (THREE, "log_loss", [2, 0, 2, 1], 1, 2),
        (Scalar(), "mse", [1.0, 2.0, 6.0], 1, 3.0),
        (Scalar(), "rmse", [1.0, 2.0, 6.0], 1, 3.0),
        (Scalar(), "r2", [1.0, 2.0, 6.0], 1, 3.0),
        (Scalar(), "mae", [1.0, 2.0, 6.0], 1, 2.0),
        (Scalar(), "pearson", [1.0, 2.0, 6.0], 1, 3.0),
        (LABELS, "accuracy", ROWS, 1, [0, 1, 0]),
        (LABELS, "f1_micro", ROWS, 1, [1, 1, 0]),
        # A label that is never predicted has an F1 of 0, so all are.
        (LABELS, "f1_macro", ROWS, 1, [1, 1, 1]),
        (LABELS, "recall_macro", ROWS, 1, [1, 1, 1]),
        (TAGS, "accuracy", [(0, 0, 1), (0,)], 1, 0),
        # No entity is found with O; with B-place the place of one word is.
        (TAGS, "entity_f1", [(0, 0, 1), (0, 1, 2)], 1, 1),
        (TAGS, "entity_f1", [(0, 0), (0,)], 1, 0),
    ],
)  # fmt: skip
def test_the_answer(output: Any, metric: str, targets: list[Any], positive: int, answer: Any) -> None:
    value, _ = best_constant(output, targets, METRICS[metric], positive)
    np.testing.assert_allclose(value, answer, rtol=1e-12)


@pytest.mark.parametrize(
    "metric", [one for one in METRICS.values() if MultiLabel in one.outputs and not one.reads_scores]
)
def test_no_set_of_labels_scores_better(metric: Metric) -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        targets = (rng.random((12, 4)) < rng.random(4)).astype(int).tolist()
        output = MultiLabel(("a", "b", "c", "d"))

        def of(labels: Any, output: Any = output, targets: Any = targets) -> float:
            ids = tuple(map(str, range(len(targets))))
            return score(metric, scored_of(output, targets, Predictions(ids, np.tile(labels, (len(targets), 1)))))

        best = best_constant(output, [tuple(row) for row in targets], metric)[0]
        assert of(best) == pytest.approx(max(of(labels) for labels in itertools.product((0, 1), repeat=4)))


def test_the_order_of_the_examples_and_the_seed_change_nothing() -> None:
    answers = set()
    for seed in range(4):
        job = make_job(Majority(), None, ToyTask(), protocol=Protocol(precision="fp32"), seed=seed)
        shuffled = job.train.take(np.random.default_rng(seed).permutation(len(job.train)).tolist())
        for metric in ("f1", "accuracy"):
            predictor = Majority().fit(dataclasses.replace(job, train=shuffled, metric=METRICS[metric]))
            answers.add((metric, int(predictor.predict(job.validation).values[0])))
    # The classes are equally frequent: F1 has the positive class, accuracy the first.
    assert answers == {("f1", 1), ("accuracy", 0)}


class _WithinHalf(Metric):
    name, label, outputs = "within_half", "within 0.5", (Scalar,)

    def statistics(self, scored: Any) -> Any:
        return np.stack([np.abs(scored.values - scored.targets) <= 0.5, np.ones(len(scored))], axis=1)

    def value(self, sums: Any) -> Any:
        return sums[..., 0] / sums[..., 1]


def test_a_plugins_metric_decides_too() -> None:
    value, _ = best_constant(Scalar(), [0.0, 7.0, 7.2, 7.1, 90.0, 50.0, 1.0, 2.5], _WithinHalf())
    assert 6.7 <= value <= 7.5


def test_a_text_has_no_constant_answer() -> None:
    with pytest.raises(PluginError, match="Text"):
        best_constant(Text(), [("a",)], METRICS["bleu"])
