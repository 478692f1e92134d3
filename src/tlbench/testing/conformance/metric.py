"""What a metric must keep, so that its score, its interval, the search and the ranks agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pytest

from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import Classes, MultiLabel, Scalar, Span, Text, TokenClasses
from tlbench.metrics.resampling import bootstrap, draw_weights, is_of_pairs, resampled, score
from tlbench.metrics.scored import Scored, checked
from tlbench.testing.conformance.imports import check_light

_TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
_WORDS = ("the", "cat", "sat", "Sat.", "on", "a", "mat", "running", "ran", ",", "")
_SEEDS = range(12)
_FEW, _MANY = 100, 70_000
"""Examples of one sample, and of one in which each of them stands 700 times."""


class MetricConformance:
    """Subclass it with `metric`; one of another output kind than tlbench's own brings `answers`, too."""

    metric: ClassVar[Metric]
    tolerance: ClassVar[float] = 1e-9
    rewards_right_answers: ClassVar[bool] = True
    """Whether answers that are right more often score better; not so for one that asks for honest probabilities."""

    def answers(self, output: type, seed: int, n: int, right: float = 0.5) -> Scored:
        """Returns N answers to an output, drawn by the seed, of which about this share is right."""
        return random_answers(output, seed, n, right)

    def test_import_is_light(self) -> None:
        """The module that defines the metric loads no heavy library."""
        check_light(self.metric, ("torch", "transformers", "timm", "optuna", "evaluate"))

    def test_says_what_it_is(self) -> None:
        """It has a name in snake_case, a heading, a citation and a range with its worst value in it."""
        metric = self.metric
        assert metric.name.isidentifier(), f"{metric.name!r} is no name in snake_case"
        assert metric.label, "it has no label"
        assert metric.citation, "it has no citation: name the paper, or say in one sentence what it is"
        low = -np.inf if metric.lowest is None else metric.lowest
        high = np.inf if metric.highest is None else metric.highest
        assert low < high, f"its range is from {low} to {high}"
        assert metric.worst is None or low <= metric.worst <= high, (
            f"its worst value {metric.worst} is out of its range"
        )
        if metric.in_points:
            assert metric.highest == 1.0, "a share of 1 has 1 as its highest value: say in_points = False"

    def test_is_a_number_in_its_range(self) -> None:
        """Every score, and both ends of every interval, are finite and in the range; few examples are no exception."""
        for scored in self._samples():
            for value in (score(self.metric, scored), *bootstrap(self.metric, scored, resamples=50)):
                assert np.isfinite(value), f"{value} of {len(scored)} examples"
                assert self.metric.lowest is None or value >= self.metric.lowest - self.tolerance
                assert self.metric.highest is None or value <= self.metric.highest + self.tolerance

    def test_a_resample_by_weights_is_the_resample_itself(self) -> None:
        """The metric on weights is the metric on the examples, each as often as its weight says."""
        for seed, scored in enumerate(self._samples()):
            weights = draw_weights(len(scored), 5, seed)
            for row, value in zip(weights, resampled(self.metric, scored, weights), strict=True):
                repeated = scored.take(np.repeat(np.arange(len(scored)), row))
                assert value == pytest.approx(score(self.metric, repeated), abs=self.tolerance)

    def test_many_examples_are_summed_as_few_are(self) -> None:
        """Of 70,000 examples, 100 that stand 700 times each, the score is that of the 100 with weights of 700.

        Sums in a narrow type, such as float16 or uint8, overflow here. The statistics of texts and tags, which take
        long, are computed once for the 100.
        """
        for output in self.metric.outputs:
            few = checked(self.metric, self.answers(output, 0, _FEW))
            many = few.take(np.tile(np.arange(_FEW), _MANY // _FEW))
            if few.kind in {"tags", "texts"}:
                if type(self.metric).statistics is Metric.statistics:
                    continue
                many.known[self.metric.name] = np.tile(self.metric.parts(few), (_MANY // _FEW, 1))
            expected = resampled(self.metric, few, np.full((1, _FEW), _MANY // _FEW))[0]
            whole = self.metric.resampler(many)(np.ones((1, _MANY)))
            assert np.isfinite(whole).all(), f"{whole} of {_MANY:,} examples: does a sum overflow?"
            assert score(self.metric, many) == pytest.approx(expected, rel=1e-6, abs=self.tolerance)
            assert np.isfinite(bootstrap(self.metric, many, resamples=3)).all()

    def test_examples_that_are_alike_are_interchangeable(self) -> None:
        """Where pairs of a class and an answer are drawn in place of examples, a resample scores the same either way.

        A metric that needs more of an example than that, such as probabilities, says so by `reads_scores`.
        """
        for seed, sample in enumerate(self._samples()):
            scored = checked(self.metric, sample)
            if not is_of_pairs(self.metric, scored):
                continue
            both = np.stack([scored.targets, scored.values])
            pairs, of_example = np.unique(both, axis=1, return_inverse=True)
            weights = draw_weights(len(scored), 5, seed)
            of_pairs = weights.astype(np.int64) @ np.eye(pairs.shape[1], dtype=np.int64)[of_example.reshape(-1)]
            drawn = resampled(self.metric, Scored(pairs[0], pairs[1], positive=scored.positive), of_pairs)
            assert drawn == pytest.approx(resampled(self.metric, scored, weights), abs=self.tolerance)

    def test_the_order_of_examples_does_not_matter(self) -> None:
        """The same examples in another order have the same score."""
        for seed, scored in enumerate(self._samples()):
            shuffled = scored.take(np.random.default_rng(seed).permutation(len(scored)))
            assert score(self.metric, shuffled) == pytest.approx(score(self.metric, scored), abs=self.tolerance)

    def test_better_answers_score_better(self) -> None:
        """Answers that are nearly all right score better than those that are mostly wrong."""
        if not self.rewards_right_answers:
            pytest.skip("it says something else than how many answers are right")
        sign = 1 if self.metric.greater_is_better else -1
        for output in self.metric.outputs:
            good, bad = (
                np.mean([score(self.metric, self.answers(output, seed, 200, right)) for seed in _SEEDS])
                for right in (0.95, 0.05)
            )
            assert sign * good > sign * bad, f"{output.__name__}: {good} where 95% is right, {bad} where 5% is"

    def test_changes_nothing(self) -> None:
        """Targets, values and probabilities are left as they are."""
        for scored in self._samples():
            before = [None if part is None else part.copy() for part in (scored.targets, scored.values, scored.scores)]
            score(self.metric, scored)
            for part, kept in zip((scored.targets, scored.values, scored.scores), before, strict=True):
                assert kept is None or (part is not None and np.array_equal(part, kept)), "it changed what it was given"

    def _samples(self) -> Iterator[Scored]:
        for output in self.metric.outputs:
            for seed in _SEEDS:
                yield self.answers(output, seed, 1 + 3 * seed)


def random_answers(output: type, seed: int, n: int, right: float = 0.5, certain: bool = False) -> Scored:
    """Returns N answers to one of tlbench's outputs, about this share of them right, with ties and missing classes.

    Args:
        output: Its type.
        seed: What they are drawn by.
        n: How many.
        right: The share that is right, more or less.
        certain: Whether answers to classes come without probabilities.

    Raises:
        NotImplementedError: For another output.
    """
    rng = np.random.default_rng(seed)
    hit = rng.random(n) < right
    if output is Classes:
        return _classes(rng, hit, certain)
    if output is MultiLabel:
        targets, wrong = rng.integers(0, 2, (2, n, 3))
        values = np.where(hit[:, None], targets, wrong)
        return Scored(targets, values, (values + rng.integers(0, 5, (n, 3)) / 4) / 2)
    if output is Scalar:
        targets, noise = rng.integers(-8, 9, (2, n)) / 4
        return Scored(targets, targets * right + noise * (1 - right))
    if output is TokenClasses:
        asked = [_drawn(rng, _TAGS) for _ in range(n)]
        said = [t if h else tuple(rng.choice(_TAGS, len(t))) for t, h in zip(asked, hit, strict=True)]
        return Scored(asked, said)  # type: ignore[arg-type]
    if output in {Span, Text}:
        least = 0 if output is Span else 1
        accepted = [tuple(" ".join(_drawn(rng, _WORDS)) for _ in range(rng.integers(least, 3))) for _ in range(n)]
        texts = [(t or ("",))[0] if h else " ".join(_drawn(rng, _WORDS)) for t, h in zip(accepted, hit, strict=True)]
        return Scored(accepted, texts)  # type: ignore[arg-type]
    raise NotImplementedError(f"override `answers`: tlbench draws none for {output.__name__}")


def _classes(rng: np.random.Generator, hit: Any, certain: bool) -> Scored:
    n, k = len(hit), int(rng.integers(2, 9))
    targets, wrong = rng.integers(0, k, (2, n))
    values = np.where(hit, targets, wrong)
    given = rng.integers(1, 5, (n, k)).astype(float)
    given[np.arange(n), values] += rng.integers(0, 8, n)
    return Scored(targets, values, None if certain else given / given.sum(axis=1, keepdims=True))


def _drawn(rng: np.random.Generator, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(names[i] for i in rng.integers(0, len(names), rng.integers(1, 7)))
