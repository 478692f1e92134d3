"""The fast path, the packaged evaluate metrics, and the bootstrap over examples."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tlbench.contracts.errors import Diverged
from tlbench.contracts.metric import METRICS
from tlbench.modeling.metrics import compute
from tlbench.modeling.statistics import bootstrap, draw_weights, from_statistics, resampled, score, statistics

CLASS_METRICS = ["accuracy", "f1", "f1_macro", "matthews"]
NUMBER_METRICS = ["pearson", "spearman"]


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("evaluate")


pairs_of_classes = st.integers(1, 4).flatmap(
    lambda k: st.lists(st.tuples(st.integers(0, k - 1), st.integers(0, k - 1)), min_size=1, max_size=25)
)
numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 3)) | st.integers(0, 3).map(float)
pairs_of_numbers = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=25)

few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("metric", CLASS_METRICS)
@given(pairs=pairs_of_classes, positive=st.integers(0, 2))
@few
def test_classes_score_the_same_both_ways(metric, cache_dir, pairs, positive):
    targets, values = np.array(pairs).T
    expected = compute(metric, targets, values, positive, cache_dir)
    assert score(metric, targets, values, positive) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("metric", NUMBER_METRICS)
@given(pairs=pairs_of_numbers)
@few
def test_numbers_score_the_same_both_ways(metric, cache_dir, pairs):
    targets, values = np.array(pairs).T
    assert score(metric, targets, values) == pytest.approx(compute(metric, targets, values, 1, cache_dir), abs=1e-9)


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (1e6, 1.0), (0.0, 1e-150), (-3.0, 1e150)])
@pytest.mark.parametrize("metric", NUMBER_METRICS)
def test_correlations_survive_any_scale(metric, shift, scale, cache_dir):
    rng = np.random.default_rng(0)
    targets = rng.uniform(0, 5, 200)
    values = (targets + rng.normal(size=200)) * scale + shift
    assert score(metric, targets, values) == pytest.approx(compute(metric, targets, values, 1, cache_dir), abs=1e-9)
    assert score(metric, targets, values) > 0.5


@pytest.mark.parametrize("metric", ["matthews", "pearson", "spearman"])
@pytest.mark.parametrize("constant", [0, 0.1, 1])
def test_a_constant_prediction_scores_zero(metric, constant, cache_dir):
    targets = np.array([0, 1, 1, 0, 1, 0, 0])
    values = np.full(7, constant if metric != "matthews" else int(constant))
    assert score(metric, targets, values) == 0
    assert score(metric, values, targets) == 0
    assert compute(metric, targets, values, 1, cache_dir) == 0
    assert bootstrap(metric, targets, values) == (0, 0)


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_the_best_answers_score_one(metric, cache_dir):
    targets = np.array([0, 1, 2, 1, 0, 2, 1])
    assert score(metric, targets, targets) == pytest.approx(1)
    assert compute(metric, targets, targets, 1, cache_dir) == pytest.approx(1)


def test_binary_f1_is_of_the_positive_class():
    targets, values = [0, 0, 1, 1], [0, 1, 1, 1]
    assert score("f1", targets, values, positive=1) == pytest.approx(0.8)
    assert score("f1", targets, values, positive=0) == pytest.approx(2 / 3)
    assert score("f1", targets, values, positive=7) == 0


@pytest.mark.parametrize("score_with", [score, compute])
def test_bad_input_is_refused(score_with):
    with pytest.raises(KeyError):
        score_with("bleu", [1], [1])
    with pytest.raises(ValueError, match="no examples"):
        score_with("accuracy", [], [])
    with pytest.raises(ValueError, match="should both be"):
        score_with("accuracy", [1, 0], [1])
    with pytest.raises(Diverged):
        score_with("pearson", [1.0, 2.0], [1.0, float("nan")])


quarters = st.integers(-40, 40).map(lambda x: x / 4)


@given(pairs=st.lists(st.tuples(quarters, quarters), min_size=2, max_size=12), seed=st.integers(0, 99))
@few
@pytest.mark.parametrize("metric", sorted(METRICS))
def test_a_resample_by_weights_is_the_resample_itself(metric, pairs, seed):
    targets, values = np.array(pairs).T
    if metric in CLASS_METRICS:
        targets, values = targets.astype(int) % 3, values.astype(int) % 3
    weights = draw_weights(len(targets), 5, seed)
    assert (weights.sum(axis=1) == len(targets)).all()
    fast = resampled(metric, targets, values, weights)
    for row, value in zip(weights.astype(int), fast, strict=True):
        assert value == pytest.approx(score(metric, np.repeat(targets, row), np.repeat(values, row)), abs=1e-6)


@pytest.mark.parametrize("metric", ["accuracy", "f1", "f1_macro", "matthews", "pearson"])
def test_sums_of_statistics_give_the_score(metric):
    rng = np.random.default_rng(1)
    targets, values = rng.integers(0, 3, 50), rng.integers(0, 3, 50)
    parts = statistics(metric, targets, values)
    assert parts.shape[0] == 50
    both = from_statistics(metric, np.stack([parts.sum(axis=0), 2 * parts.sum(axis=0)]))
    assert both == pytest.approx([score(metric, targets, values)] * 2)


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_the_interval_holds_the_score_and_repeats(metric):
    rng = np.random.default_rng(2)
    targets = rng.integers(0, 2, 300)
    values = np.where(rng.random(300) < 0.8, targets, 1 - targets)
    low, high = bootstrap(metric, targets, values)
    assert low < score(metric, targets, values) < high
    assert 0.05 < high - low < 0.25
    assert bootstrap(metric, targets, values) == (low, high)
    assert bootstrap(metric, targets, values, seed=1) != (low, high)


def test_the_interval_of_accuracy_is_the_binomial_one():
    targets = np.ones(1000, dtype=int)
    values = np.where(np.arange(1000) < 800, 1, 0)
    low, high = bootstrap("accuracy", targets, values, resamples=20_000)
    assert (low, high) == pytest.approx((0.775, 0.8245), abs=0.002)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(400):
        x = rng.normal(size=150)
        y = 0.6 * x + 0.8 * rng.normal(size=150)
        low, high = bootstrap("pearson", x, y, resamples=300)
        covered += low <= 0.6 <= high
    assert 0.91 <= covered / 400 <= 0.98


def test_blocks_of_resamples_do_not_change_the_interval(monkeypatch):
    rng = np.random.default_rng(4)
    targets, values = rng.normal(size=200), rng.normal(size=200)
    whole = bootstrap("spearman", targets, values), draw_weights(200, 50)
    monkeypatch.setattr("tlbench.modeling.statistics._ROWS_AT_ONCE", 1500)
    assert bootstrap("spearman", targets, values) == whole[0]
    assert (draw_weights(200, 50) == whole[1]).all()


def test_searching_imports_no_evaluate():
    code = (
        "import sys; from tlbench.modeling.statistics import score; import tlbench.modeling.metrics;"
        "score('matthews', [0, 1], [0, 1]);"
        "print(sorted({'evaluate', 'torch', 'datasets', 'sklearn', 'scipy', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_loading_evaluate_leaves_the_pipelines_of_transformers_importable():
    compute("accuracy", [0, 1], [0, 1])
    assert sys.modules.get("transformers.pipelines", "not imported") is not None


def test_evaluate_writes_only_where_it_was_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "accuracy").mkdir()
    (tmp_path / "accuracy" / "accuracy.py").write_text("raise SystemExit('a script of the working directory was run')")
    folder = tmp_path / "cache"
    assert compute("accuracy", [0, 1], [0, 1], cache_dir=folder) == 1
    assert {path.name for path in tmp_path.iterdir()} <= {"accuracy", "cache"}
