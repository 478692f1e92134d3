"""Metrics of plugins: their input, the exactness of sums, and the errors for invalid statistics and values."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest

from tests.metrics.faulty_metrics import Hits
from tlbench import Classes, Example, Metric, MultiLabel, Output, PluginError, Scalar
from tlbench.contracts.errors import Diverged
from tlbench.metrics import METRICS
from tlbench.metrics.resampling import bootstrap, draw_weights, resampled, resampled_alike, score
from tlbench.metrics.scored import Scored, checked
from tlbench.testing.conformance.metric import random_predictions

PAIRS = [(metric, output) for metric, info in METRICS.items() for output in info.outputs]


class Error(Metric):
    """The mean absolute error, for classes, labels and real numbers."""

    name = "error"
    label = "error"
    outputs = (Classes, MultiLabel, Scalar)
    citation = "The mean absolute error."

    def statistics(self, scored):
        off = np.abs(scored.targets - scored.values).reshape(len(scored), -1).mean(axis=1)
        return np.stack([off, np.ones(len(off))], axis=1)

    def value(self, sums):
        return sums[..., 0] / sums[..., 1]


class Mean(Error):
    """The sum of probabilities numbers, one for each example."""

    def __init__(self, numbers):
        self.numbers = numbers

    def statistics(self, scored):
        return self.numbers[:, None]

    def value(self, sums):
        return sums[..., 0]


class Confidence(Hits):
    """The mean probability of the predictions; the tests set `reads_scores`."""

    name = "confidence"

    def statistics(self, scored):
        probabilities = np.ones(len(scored)) if scored.scores is None else scored.scores.max(axis=1)
        return np.stack([probabilities, np.ones(len(probabilities))], axis=1)


def test_real_numbers_are_not_truncated_for_a_metric_of_classes_and_real_numbers():
    # A cast to int64, the dtype of class indices, would truncate these.
    numbers = Scored(np.array([0.2, 1.6, 3.0]), np.array([0.9, 1.1, 3.0]))
    assert score(Error(), numbers) == pytest.approx((0.7 + 0.5) / 3)
    assert checked(Error(), numbers).values.dtype == np.float64
    half = Scored(np.array([0, 2, 1]), np.array([0.5, 1.5, 1.0]))
    assert score(Error(), half) == pytest.approx(1 / 3), "integers beside floats are floats"
    classes = Scored(np.array([0, 2, 1], dtype=np.int32), np.array([0, 1, 1], dtype=np.int8))
    assert checked(Error(), classes).targets.dtype == np.int64
    assert checked(Error(), classes).values.dtype == np.int64


@pytest.mark.parametrize(("metric", "values"), [("accuracy", [1.0, 1.4]), ("f1_macro", [[1.0, 0.0], [0.5, 1.0]])])
def test_numbers_that_are_not_whole_are_refused_by_a_metric_of_whole_ones(metric, values):
    with pytest.raises(ValueError, match=f"{metric} scores whole numbers, and some of these are not: (1.4|0.5)"):
        score(metric, Scored(np.ones_like(values), np.array(values)))
    assert score(metric, Scored(np.ones_like(values), np.ones_like(values))) == 1


@pytest.mark.parametrize(
    "numbers",
    [
        # Each would overflow or lose digits if it were summed in its own dtype or in fp32.
        np.tile(np.array([0, 200], dtype=np.uint8), 30_000),
        np.full(70_000, 1.0, dtype=np.float16),
        np.full(70_000, 0.1, dtype=np.float32),
        np.full(1_000, -(2**30) + 1, dtype=np.int64),
        np.full(1_000, -128, dtype=np.int8),
        np.full(2**16, 2**31 - 1, dtype=np.int32),
        np.tile(np.array([2**15, -(2**15)], dtype=np.int32), 500),
        np.ones(70_000, dtype=bool),
    ],
)
def test_statistics_of_any_type_are_summed_without_loss(numbers):
    scored = Scored(np.zeros(len(numbers)), np.zeros(len(numbers)))
    expected = numbers.astype(np.float64).sum()
    assert score(Mean(numbers), scored) == pytest.approx(expected, rel=1e-12)
    weights = draw_weights(len(numbers), 2)
    sums = weights.astype(np.float64) @ numbers.astype(np.float64)
    assert resampled(Mean(numbers), scored, weights) == pytest.approx(sums, rel=1e-12)


@pytest.mark.parametrize("metric", [Mean(np.array([1, 3])), METRICS["accuracy"]])
def test_sums_are_exact_where_one_example_stands_for_very_many(metric):
    # The first integer that fp32 cannot represent is 2**24 + 1.
    weights = np.array([[2**24 + 1, 2]])
    scored = Scored(np.array([1, 0]), np.array([1, 1]))
    expected = 2**24 + 7 if metric.name == "error" else (2**24 + 1) / (2**24 + 3)
    assert resampled(metric, scored, weights)[0] == expected
    assert resampled_alike(metric, [scored], weights)[0] == expected


@pytest.mark.parametrize(("metric", "output"), PAIRS)
def test_predictions_resampled_together_equal_those_resampled_alone(metric, output):
    many = [checked(METRICS[metric], random_predictions(output, seed, 30, certain=seed == 2)) for seed in range(4)]
    weights = draw_weights(30, 40)
    together = resampled_alike(metric, many, weights)
    assert [list(one) for one in together] == [list(resampled(metric, scored, weights)) for scored in many]


def test_probabilities_are_hidden_from_a_metric_that_does_not_read_scores():
    scored = random_predictions(Classes, 0, 200)
    without, reading = Confidence(), Confidence()
    reading.reads_scores = True
    assert score(without, scored) == 1
    # Without probabilities, all are certain: a point, but for the interval of a share of 1.
    assert bootstrap(without, scored) == pytest.approx((1 - (1 - 0.05 ** (1 / 200)), 1))
    low, high = bootstrap(reading, scored)
    assert low < score(reading, scored) < high < 1


@pytest.mark.parametrize(
    ("statistics", "message"),
    [
        (lambda n: [0.5] * n, "statistics of list"),
        (np.ones, r"statistics of float64 \(10,\)"),
        (lambda n: np.ones((n - 1, 2)), r"statistics of float64 \(9, 2\)"),
        (lambda n: np.ones((n, 2), dtype=complex), r"statistics of complex128 \(10, 2\)"),
        (lambda n: np.full((n, 2), "1"), "statistics of <U1"),
        (lambda n: None, "statistics of NoneType"),
    ],
)
@pytest.mark.parametrize("output", [Classes, MultiLabel])
def test_statistics_of_wrong_shape_or_type_are_reported(monkeypatch, statistics, message, output):
    monkeypatch.setattr(Hits, "statistics", lambda self, scored: statistics(10))
    scored = random_predictions(output, 0, 10)
    monkeypatch.setattr(Hits, "outputs", (output,))
    with pytest.raises(PluginError, match=rf"the metric hits gave {message}.* where a NumPy array \(10, m\)"):
        score(Hits(), scored)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda sums: np.ones(len(sums) + 1), r"gave float64 \(2,\) where \(1,\) real numbers"),
        (lambda sums: np.ones(len(sums)) * 1j, "gave complex128"),
        (lambda sums: np.array(["1.0"] * len(sums)), "gave <U3"),
        (lambda sums: None, "gave object"),
        (lambda sums: sums[..., 7], "raised IndexError: index 7 is out of bounds"),
        (lambda sums: 1 / 0, "raised ZeroDivisionError: division by zero"),
        (lambda sums: np.full(len(sums), np.nan), "gave nan: return finite numbers, or say by `worst`"),
        (lambda sums: np.full(len(sums), -np.inf), "gave -inf: return finite numbers, or say by `worst`"),
    ],
)
def test_invalid_values_are_reported(monkeypatch, value, message):
    monkeypatch.setattr(Hits, "value", lambda self, sums: value(sums))
    monkeypatch.setattr(Hits, "worst", None)
    with pytest.raises(PluginError, match=f"the metric hits {message}"):
        score(Hits(), random_predictions(Classes, 0, 10))


def test_an_undefined_value_counts_as_the_worst_where_there_is_one(monkeypatch):
    monkeypatch.setattr(Hits, "value", lambda self, sums: np.full(len(sums), np.nan))
    monkeypatch.setattr(Hits, "worst", 0.25)
    assert score(Hits(), random_predictions(Classes, 0, 10)) == 0.25


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_predictions_too_large_for_a_builtin_metric_are_diverged():
    with pytest.raises(Diverged, match="predictions so large that their mean squared error is not finite"):
        score("mse", Scored(np.zeros(2), np.full(2, 1e200)))


@pytest.mark.parametrize("base", [Metric, Output])
def test_the_example_in_the_docstring_works(base):
    namespace = {"__name__": __name__}
    code = textwrap.dedent(base.__doc__.partition("Example:\n")[2])
    # Without this file's `from __future__ import annotations`, which the example does not have.
    exec(compile(code, "docstring", "exec", dont_inherit=True), namespace)
    (example,) = [one for one in namespace.values() if isinstance(one, type) and base in one.__bases__]
    if base is Metric:
        assert score(example(), Scored(np.array([0.0, 1.0]), np.array([0.5, 1.75]))) == 0.5
    else:
        assert example(("good", "bad")).target_error(Example("a", ("text",), 1)) is None
        assert example(("good", "bad")).target_error(Example("a", ("text",), 2)) == "2 is not the index of a grade"
