"""tlbench's metrics against reference implementations, as `evaluate` metrics, and their bootstrap intervals."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr

from tests.metrics.libraries import FORMULAS
from tlbench import Span, Text
from tlbench.contracts.errors import Diverged
from tlbench.metrics import METRICS
from tlbench.metrics.evaluate_metrics import metric_class
from tlbench.metrics.formula import Sums
from tlbench.metrics.jackknife import jackknife_values
from tlbench.metrics.resampling import (
    bootstrap,
    draw_weights,
    from_statistics,
    resampled,
    score,
    statistics,
)
from tlbench.metrics.scored import Scored, checked, probabilities
from tlbench.testing.conformance.metric import random_predictions

PAIRS = [(metric, output) for metric, info in METRICS.items() for output in info.outputs]
few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def as_lists(part):
    return [list(item) if isinstance(item, tuple) else item for item in part.tolist()]


def sides(metric, scored):
    scored = checked(METRICS[metric], scored)
    return scored, probabilities(scored) if METRICS[metric].reads_scores else scored.values


def by_library(metric, scored):
    scored, predictions = sides(metric, scored)
    return FORMULAS[metric](as_lists(scored.targets), as_lists(predictions), scored.positive)


def by_evaluate(metric, scored, cache_dir):
    scored, predictions = sides(metric, scored)
    metric_object = metric_class(metric, scored.kind)(
        cache_dir=str(cache_dir), keep_in_memory=True, positive=scored.positive
    )
    return metric_object.compute(predictions=as_lists(predictions), references=as_lists(scored.targets))[metric]


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("evaluate")


def test_every_metric_has_a_formula_a_citation_and_a_reference():
    assert set(METRICS) == set(FORMULAS)
    assert all(metric.formula and metric.citation and metric.label for metric in METRICS.values())


@pytest.mark.parametrize(("metric", "output"), PAIRS)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 25))
@few
def test_scores_equal_those_of_the_reference(metric, output, seed, n):
    for certain in (False, True):
        scored = random_predictions(output, seed, n, certain=certain)
        assert score(metric, scored) == pytest.approx(by_library(metric, scored), abs=1e-9)


@pytest.mark.parametrize(("metric", "output"), PAIRS)
def test_evaluate_metrics_give_the_same_score(metric, output, cache_dir):
    scored = random_predictions(output, 1, 20)
    assert by_evaluate(metric, scored, cache_dir) == pytest.approx(score(metric, scored), abs=1e-9)


@pytest.mark.parametrize(("metric", "output"), PAIRS)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 12))
@settings(max_examples=10, deadline=None)
def test_a_resample_by_weights_is_the_resample_itself(metric, output, seed, n):
    scored = checked(METRICS[metric], random_predictions(output, seed, n))
    weights = draw_weights(n, 5, seed)
    assert (weights.sum(axis=1) == n).all()
    fast = resampled(metric, scored, weights)
    for row, value in zip(weights, fast, strict=True):
        assert value == pytest.approx(score(metric, scored.take(np.repeat(np.arange(n), row))), abs=1e-9)


@pytest.mark.parametrize(("metric", "output"), [(m, o) for m, o in PAIRS if isinstance(METRICS[m].formula, Sums)])
def test_sums_of_statistics_give_the_score(metric, output):
    scored = checked(METRICS[metric], random_predictions(output, 3, 40))
    parts = statistics(metric, scored)
    assert parts.shape[0] == 40
    both = from_statistics(metric, np.stack([parts.sum(axis=0), 2 * parts.sum(axis=0)]))
    assert both == pytest.approx([score(metric, scored)] * 2)


@pytest.mark.parametrize(("metric", "output"), [pair for pair in PAIRS if pair[0] != "top5_accuracy"])
def test_the_interval_holds_the_score_and_repeats(metric, output):
    scored = random_predictions(output, 2, 150, right=0.8)
    low, high = bootstrap(metric, scored, resamples=300)
    assert low < high
    # The calibration error of resamples is biased upwards, because noise increases the absolute gaps of bins.
    assert score(metric, scored) < high
    assert metric == "calibration_error" or low < score(metric, scored)
    assert bootstrap(metric, scored, resamples=300) == (low, high)
    assert bootstrap(metric, scored, resamples=300, seed=1) != (low, high)


@pytest.mark.parametrize(("metric", "output"), PAIRS)
def test_correct_predictions_score_best(metric, output):
    targets = random_predictions(output, 4, 30).targets
    right = Scored(targets, targets)
    if output in {Span, Text}:
        right = Scored([("nothing of it", "cats sat on five mats")] * 5, ["cats sat on five mats"] * 5)
    best = 1.0 if METRICS[metric].greater_is_better else 0.0
    assert score(metric, right) == pytest.approx(best, abs=1e-12)
    assert METRICS[metric].worst is None or abs(METRICS[metric].worst - best) >= 0.5
    assert best in {METRICS[metric].lowest, METRICS[metric].highest}


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (1e6, 1.0), (0.0, 1e-150), (-3.0, 1e150)])
@pytest.mark.parametrize("metric", ["pearson", "spearman"])
def test_correlations_survive_any_scale(metric, shift, scale):
    rng = np.random.default_rng(0)
    targets = rng.uniform(0, 5, 200)
    scored = Scored(targets, (targets + rng.normal(size=200)) * scale + shift)
    assert score(metric, scored) == pytest.approx(by_library(metric, scored), abs=1e-9)
    assert score(metric, scored) > 0.5


@pytest.mark.parametrize("ill", ["offset", "outlier", "both"])
@pytest.mark.parametrize("size", [1e2, 1e5, 1e8, 1e10, 1e12])
def test_pearson_equals_scipy_however_ill_conditioned(size, ill):
    """Values that hardly differ beside their mean, and an outlier that some resamples and one jackknife value lack."""
    rng = np.random.default_rng(0)
    targets = rng.normal(size=40)
    values = 0.8 * targets + 0.6 * rng.normal(size=40)
    if ill != "outlier":
        targets = targets + size
    if ill != "offset":
        values[0] = size
    scored = Scored(targets, values)
    weights = draw_weights(40, 200)
    # Exact, and scipy too loses digits far from 0.
    targets = targets - targets[1]
    expected = [pearsonr(np.repeat(targets, one), np.repeat(values, one))[0] for one in weights]
    assert score("pearson", scored) == pytest.approx(pearsonr(targets, values)[0], abs=1e-9)
    assert resampled("pearson", scored, weights) == pytest.approx(expected, abs=1e-9)
    without = [pearsonr(np.delete(targets, i), np.delete(values, i))[0] for i in range(40)]
    pseudo = 40 * pearsonr(targets, values)[0] - 39 * np.array(without)
    found = jackknife_values(METRICS["pearson"], scored)
    assert found - found.mean() == pytest.approx(pseudo - pseudo.mean(), abs=1e-7)


@pytest.mark.parametrize("metric", ["matthews", "pearson", "spearman"])
@pytest.mark.parametrize("constant", [0, 0.1, 1])
def test_a_constant_prediction_scores_zero(metric, constant, cache_dir):
    targets = np.array([0, 1, 1, 0, 1, 0, 0])
    values = np.full(7, constant if metric != "matthews" else int(constant))
    assert score(metric, Scored(targets, values)) == 0
    assert score(metric, Scored(values, targets)) == 0
    assert by_evaluate(metric, Scored(targets, values), cache_dir) == 0
    assert bootstrap(metric, Scored(targets, values)) == (0, 0)


def test_binary_scores_are_of_the_positive_class():
    targets, values = [0, 0, 1, 1], [0, 1, 1, 1]
    scores = {
        (m, p): score(m, Scored(targets, values, positive=p)) for m in ("precision", "recall", "f1") for p in (0, 1)
    }
    assert scores == pytest.approx({
        ("precision", 1): 2 / 3, ("recall", 1): 1, ("f1", 1): 0.8,
        ("precision", 0): 1, ("recall", 0): 0.5, ("f1", 0): 2 / 3,
    })  # fmt: skip
    assert score("f1", Scored(targets, values, positive=7)) == 0


def test_bad_input_is_refused():
    with pytest.raises(KeyError):
        score("bertscore", Scored([1], [1]))
    with pytest.raises(ValueError, match="no examples"):
        score("accuracy", Scored([], []))
    with pytest.raises(ValueError, match="differ in length"):
        Scored([1, 0], [1])
    with pytest.raises(ValueError, match="bleu does not score numbers"):
        score("bleu", Scored([1, 0], [1, 0]))
    with pytest.raises(ValueError, match="each word should have one tag"):
        score("entity_f1", Scored([("O", "O")], [("O",)]))
    with pytest.raises(ValueError, match="at least 3 classes"):
        score("log_loss", Scored([2, 0], [1, 0], np.full((2, 2), 0.5)))
    with pytest.raises(Diverged):
        score("pearson", Scored([1.0, 2.0], [1.0, float("nan")]))
    with pytest.raises(Diverged):
        score("roc_auc", Scored([1, 0], [1, 0], np.full((2, 2), np.nan)))


def test_the_interval_of_accuracy_is_the_binomial_one():
    scored = Scored(np.ones(1000, dtype=int), np.where(np.arange(1000) < 800, 1, 0))
    # Accuracies are multiples of 0.001, and a percentile of 20,000 resamples may be off by one or two of them.
    assert bootstrap("accuracy", scored, resamples=20_000) == pytest.approx((0.775, 0.8245), abs=0.002)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(3)
    # 400 intervals at 95%: the observed coverage has a standard error of 1.1 points.
    covered = 0
    for _ in range(400):
        x = rng.normal(size=150)
        y = 0.6 * x + 0.8 * rng.normal(size=150)
        low, high = bootstrap("pearson", Scored(x, y), resamples=300)
        covered += low <= 0.6 <= high
    assert 0.91 <= covered / 400 <= 0.98


def test_blocks_of_resamples_do_not_change_the_interval(monkeypatch):
    rng = np.random.default_rng(4)
    scored = Scored(rng.normal(size=200), rng.normal(size=200))
    whole = bootstrap("spearman", scored), draw_weights(200, 50)
    monkeypatch.setattr("tlbench.metrics.resampling._ROWS_AT_ONCE", 1500)
    assert bootstrap("spearman", scored) == whole[0]
    assert (draw_weights(200, 50) == whole[1]).all()


def test_searching_imports_no_evaluate():
    # A subprocess, because other tests of this session have imported these libraries.
    code = (
        "import sys; from tlbench.metrics.resampling import score; import tlbench.metrics.evaluate_metrics;"
        "from tlbench.metrics.scored import Scored;"
        "score('matthews', Scored([0, 1], [0, 1])); score('entity_f1', Scored([('B-A',)], [('O',)]));"
        "print(sorted({'evaluate', 'torch', 'datasets', 'sklearn', 'scipy', 'pandas', 'nltk'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_evaluate_writes_only_to_its_cache_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "accuracy").mkdir()
    (tmp_path / "accuracy" / "accuracy.py").write_text("raise SystemExit('a script of the working directory was run')")
    folder = tmp_path / "cache"
    assert by_evaluate("accuracy", Scored([0, 1], [0, 1]), folder) == 1
    assert {path.name for path in tmp_path.iterdir()} <= {"accuracy", "cache"}


def test_the_right_class_counts_where_it_is_among_the_five_most_probable():
    rng = np.random.default_rng(0)
    given = rng.dirichlet(np.ones(12), size=300)
    targets = rng.integers(0, 12, 300)
    scored = Scored(targets, given.argmax(axis=1), given)
    low, high = bootstrap("top5_accuracy", scored)
    assert low < score("top5_accuracy", scored) < high
    # Chance level: five of twelve classes.
    assert score("top5_accuracy", scored) == pytest.approx(5 / 12, abs=0.1)
    certain = Scored(targets, given.argmax(axis=1))
    assert score("top5_accuracy", certain) == score("accuracy", certain), (
        "a predictor without probabilities has one guess"
    )
