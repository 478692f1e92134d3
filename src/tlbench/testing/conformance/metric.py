"""Conformance checks for metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pytest

from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import Classes, MultiLabel, Scalar, Span, Text, TokenClasses
from tlbench.metrics.resampling import bootstrap, draw_weights, is_of_pairs, resampled, score
from tlbench.metrics.scored import Scored, checked
from tlbench.testing.conformance.every_plugin import check_light

_TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
_WORDS = ("the", "cat", "sat", "Sat.", "on", "a", "mat", "running", "ran", ",", "")
_SEEDS = range(12)
_FEW, _MANY = 100, 70_000
"""Sample sizes; the large sample repeats each example of the small one 700 times."""


class MetricConformance:
    """Checks that a metric gives consistent scores, intervals and resamples.

    Guarantees: values are finite and in range; a resample by weights equals the metric on repeated examples; sums do
    not overflow; the order of examples has no influence; better predictions score better; inputs are not modified.

        class TestMyMetric(MetricConformance):
            metric = MyMetric()
            rewards_right_answers = False  # only for metrics of something else, such as calibration
            tolerance = 1e-6  # only if the formula is iterative

    Override `answers` for outputs that tlbench does not define, or give it to the metric, where `tlbench plugin check`
    finds it too: `conformance = {"answers": f}` with a function `f(self, output, seed, n, right=0.5)`.
    """

    metric: ClassVar[Metric]
    tolerance: ClassVar[float] = 1e-9
    """Largest absolute difference between two scores that must be equal."""
    rewards_right_answers: ClassVar[bool] = True
    """Whether predictions that are right more often score better; set it to False for calibration metrics."""

    def answers(self, output: type, seed: int, n: int, right: float = 0.5) -> Scored:
        """Returns `n` random predictions and targets for an output type; about the share `right` of them is right."""
        return random_predictions(output, seed, n, right)

    def test_import_is_light(self) -> None:
        """Importing the metric's module does not import heavy libraries such as torch."""
        check_light(self.metric, ("torch", "transformers", "timm", "optuna", "evaluate"))

    def test_declared_attributes(self) -> None:
        """Name, label, citation and range are set and consistent."""
        metric = self.metric
        assert metric.name.isidentifier(), f"the name {metric.name!r} is not in snake_case"
        assert metric.label, "`label` is empty: set the column heading"
        assert metric.citation, "`citation` is empty: cite the paper, or define the metric in one sentence"
        low = -np.inf if metric.lowest is None else metric.lowest
        high = np.inf if metric.highest is None else metric.highest
        assert low < high, f"`lowest` is {low}, which is not below `highest`, {high}"
        assert metric.worst is None or low <= metric.worst <= high, (
            f"`worst` is {metric.worst}, which is outside of the range {low} to {high}"
        )
        if metric.in_points:
            assert metric.highest == 1.0, "points are hundredths of 1, so `highest` must be 1: set in_points = False"

    def test_values_are_finite_and_in_range(self) -> None:
        """Scores and both ends of their intervals are finite and in the range, from one example upwards."""
        for scored in self._samples():
            for value in (score(self.metric, scored), *bootstrap(self.metric, scored, resamples=50)):
                assert np.isfinite(value), f"the value is {value} on {len(scored)} examples"
                assert self.metric.lowest is None or value >= self.metric.lowest - self.tolerance
                assert self.metric.highest is None or value <= self.metric.highest + self.tolerance

    def test_weights_equal_repeated_examples(self) -> None:
        """An example of weight w contributes as much as w copies of the example."""
        for seed, scored in enumerate(self._samples()):
            weights = draw_weights(len(scored), 5, seed)
            for row, value in zip(weights, resampled(self.metric, scored, weights), strict=True):
                repeated = scored.take(np.repeat(np.arange(len(scored)), row))
                assert value == pytest.approx(score(self.metric, repeated), abs=self.tolerance)

    def test_many_examples_are_summed_as_few_are(self) -> None:
        """The score of 100 examples repeated 700 times equals that of the 100 examples with weights of 700.

        Sums in a narrow type, such as float16 or uint8, overflow on the 70,000 examples.
        """
        for output in self.metric.outputs:
            few = checked(self.metric, self.answers(output, 0, _FEW))
            many = few.take(np.tile(np.arange(_FEW), _MANY // _FEW))
            # Statistics of texts and tags are slow to compute, so compute them for the 100 and tile the result.
            if few.kind in {"tags", "texts"}:
                if type(self.metric).statistics is Metric.statistics:
                    continue
                many.known[self.metric.name] = np.tile(self.metric.parts(few), (_MANY // _FEW, 1))
            expected = resampled(self.metric, few, np.full((1, _FEW), _MANY // _FEW))[0]
            whole = self.metric.resampler(many)(np.ones((1, _MANY)))
            assert np.isfinite(whole).all(), f"the value is {whole} on {_MANY:,} examples: does a sum overflow?"
            assert score(self.metric, many) == pytest.approx(expected, rel=1e-6, abs=self.tolerance)
            assert np.isfinite(bootstrap(self.metric, many, resamples=3)).all()

    def test_examples_that_are_alike_are_interchangeable(self) -> None:
        """A resample of (target, predicted class) pairs scores the same as the resample of examples.

        Bootstraps of class metrics draw counts of such pairs. A metric that reads more of an example, such as
        probabilities, must set `reads_scores`.
        """
        for seed, sample in enumerate(self._samples()):
            scored = checked(self.metric, sample)
            if not is_of_pairs(self.metric, scored):
                continue
            # Sum the weights of the examples that have the same target and prediction.
            both = np.stack([scored.targets, scored.values])
            pairs, of_example = np.unique(both, axis=1, return_inverse=True)
            weights = draw_weights(len(scored), 5, seed)
            of_pairs = weights.astype(np.int64) @ np.eye(pairs.shape[1], dtype=np.int64)[of_example.reshape(-1)]
            drawn = resampled(self.metric, Scored(pairs[0], pairs[1], positive=scored.positive), of_pairs)
            assert drawn == pytest.approx(resampled(self.metric, scored, weights), abs=self.tolerance)

    def test_the_order_of_examples_does_not_matter(self) -> None:
        """Permuting the examples does not change the score."""
        for seed, scored in enumerate(self._samples()):
            shuffled = scored.take(np.random.default_rng(seed).permutation(len(scored)))
            assert score(self.metric, shuffled) == pytest.approx(score(self.metric, scored), abs=self.tolerance)

    def test_better_answers_score_better(self) -> None:
        """Predictions of which 95% are right score better than predictions of which 5% are."""
        if not self.rewards_right_answers:
            pytest.skip("this metric does not reward right predictions (rewards_right_answers)")
        sign = 1 if self.metric.greater_is_better else -1
        for output in self.metric.outputs:
            good, bad = (
                np.mean([score(self.metric, self.answers(output, seed, 200, right)) for seed in _SEEDS])
                for right in (0.95, 0.05)
            )
            assert sign * good > sign * bad, f"{output.__name__}: {good} with 95% right, {bad} with 5%"

    def test_inputs_are_not_modified(self) -> None:
        """Computing a score does not modify targets, predictions or probabilities."""
        for scored in self._samples():
            before = [None if part is None else part.copy() for part in (scored.targets, scored.values, scored.scores)]
            score(self.metric, scored)
            for part, kept in zip((scored.targets, scored.values, scored.scores), before, strict=True):
                assert kept is None or (part is not None and np.array_equal(part, kept)), (
                    "the metric modified its input"
                )

    def _samples(self) -> Iterator[Scored]:
        for output in self.metric.outputs:
            for seed in _SEEDS:
                yield self.answers(output, seed, 1 + 3 * seed)


def random_predictions(output: type, seed: int, n: int, right: float = 0.5, certain: bool = False) -> Scored:
    """Returns random predictions with targets for one of tlbench's outputs, with ties and missing classes among them.

    Args:
        output: The output type.
        seed: Seed of the generator.
        n: Number of examples.
        right: Expected share of right predictions.
        certain: Whether to leave out the probabilities of classes.

    Raises:
        NotImplementedError: The output is not one of tlbench's.
    """
    rng = np.random.default_rng(seed)
    hit = rng.random(n) < right
    if output is Classes:
        return _classes(rng, hit, certain)
    if output is MultiLabel:
        targets, wrong = rng.integers(0, 2, (2, n, 3))
        # Probabilities in steps of 1/8, so that ties are frequent.
        values = np.where(hit[:, None], targets, wrong)
        return Scored(targets, values, (values + rng.integers(0, 5, (n, 3)) / 4) / 2)
    if output is Scalar:
        targets, noise = rng.integers(-8, 9, (2, n)) / 4
        return Scored(targets, targets * right + noise * (1 - right))
    if output is TokenClasses:
        tags = [_sample(rng, _TAGS) for _ in range(n)]
        predicted = [t if h else tuple(rng.choice(_TAGS, len(t))) for t, h in zip(tags, hit, strict=True)]
        return Scored(tags, predicted)  # type: ignore[arg-type]
    if output in {Span, Text}:
        # A question may have no answer; a text always has a reference.
        least = 0 if output is Span else 1
        accepted = [tuple(" ".join(_sample(rng, _WORDS)) for _ in range(rng.integers(least, 3))) for _ in range(n)]
        texts = [(t or ("",))[0] if h else " ".join(_sample(rng, _WORDS)) for t, h in zip(accepted, hit, strict=True)]
        return Scored(accepted, texts)  # type: ignore[arg-type]
    raise NotImplementedError(
        f"there are no random predictions for {output.__name__}: give the metric conformance = "
        '{"answers": f}, where f(self, output, seed, n, right=0.5) returns n of them as a Scored'
    )


def _classes(rng: np.random.Generator, hit: Any, certain: bool) -> Scored:
    n, k = len(hit), int(rng.integers(2, 9))
    targets, wrong = rng.integers(0, k, (2, n))
    values = np.where(hit, targets, wrong)
    # Small integers, so that classes tie; the predicted class is not always the most probable one.
    masses = rng.integers(1, 5, (n, k)).astype(float)
    masses[np.arange(n), values] += rng.integers(0, 8, n)
    return Scored(targets, values, None if certain else masses / masses.sum(axis=1, keepdims=True))


def _sample(rng: np.random.Generator, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(names[i] for i in rng.integers(0, len(names), rng.integers(1, 7)))
