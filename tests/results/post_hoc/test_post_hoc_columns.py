"""Columns of calibration and threshold: fitted on validation, measured on test, missing where they cannot be had."""

import numpy as np
import pytest

from tlbench.metrics import METRICS
from tlbench.metrics.scored import Scored
from tlbench.results.choice.added_columns import ADDED, named_in
from tlbench.results.choice.named_columns import named_columns
from tlbench.results.leaderboard import Table
from tlbench.results.post_hoc import calibration as c
from tlbench.results.post_hoc.post_hoc_columns import with_post_hoc_columns
from tlbench.results.records.summaries import summaries_of

SEEDS = (0, 1)


def drawn(two_classes, seed, n=200):
    rng = np.random.default_rng(seed)
    logits = rng.normal(-1, 1, size=n)
    targets = (rng.random(n) < 1 / (1 + np.exp(-logits))).astype(np.int64)
    return two_classes(targets, 1 / (1 + np.exp(-3 * logits)))


def columns(made, names=tuple(ADDED), complain=lambda text: None):
    summaries = summaries_of(made.store.records())
    table = with_post_hoc_columns(Table(summaries), names, summaries, METRICS, made.splits, complain)
    return {row["strategy"]: row for row in table.rows(("strategy", *names))}, table


@pytest.fixture
def pair(made, two_classes):
    # All seeds predict the same examples.
    validation, test = drawn(two_classes, 1), drawn(two_classes, 2)
    made.commit("probe", dict.fromkeys(SEEDS, validation), dict.fromkeys(SEEDS, test), ("accuracy", "f1"))
    made.pair = validation, test
    return made


def test_values_are_those_of_the_formulas(pair):
    validation, test = pair.pair
    rows, _ = columns(pair)
    row = rows["probe"]
    temperature = c.fitted_temperature(validation.targets, validation.scores)
    assert row["temperature"] == pytest.approx(temperature)
    assert 2 < temperature < 5
    after = c.at_temperature(test.scores, temperature)
    for measure, function in (("ece", c.calibration_error), ("nll", c.log_loss), ("brier", c.brier_score)):
        assert row[f"{measure}_before"] == pytest.approx(function(test.targets, test.scores))
        assert row[f"{measure}_after"] == pytest.approx(function(test.targets, after))
        assert row[f"{measure}_after"] < row[f"{measure}_before"]
    from sklearn.metrics import f1_score

    wanted = f1_score(test.targets, test.scores[:, 1] >= row["threshold"])
    assert row["f1_at_threshold"] == pytest.approx(wanted)


def test_scores_and_ranks_stay_as_they_are(pair):
    _, table = columns(pair)
    before = Table(summaries_of(pair.store.records())).frame()
    after = table.frame()
    assert after[list(before.columns)].equals(before)
    assert list(after.columns) == [*before.columns, *ADDED]


def test_missing_values_and_their_reasons(pair, two_classes):
    bare = {seed: Scored(row.targets, row.values) for seed, row in ((s, pair.pair[0]) for s in SEEDS)}
    pair.commit("bare", bare, bare)
    pair.commit("old", None, dict.fromkeys(SEEDS, pair.pair[1]))
    damaged = pair.commit("damaged", dict.fromkeys(SEEDS, pair.pair[0]), dict.fromkeys(SEEDS, pair.pair[1]))
    pair.validation(damaged).write_bytes(b"damaged")
    complaints = []
    rows, _ = columns(pair, ("temperature", "threshold"), complaints.append)
    assert {name for name, row in rows.items() if row["temperature"] is None} == {"bare", "old", "damaged"}
    assert sorted(complaints)[-1] == "temperature, threshold: 1 cell without values: no validation predictions"
    assert any(f"{damaged}.1.validation.parquet cannot be read" in one for one in complaints)
    assert len(complaints) == 2


def test_what_is_not_f1_has_no_threshold(made):
    rng = np.random.default_rng(0)
    targets, scores = np.arange(30) % 3, rng.dirichlet(np.ones(3), 30)
    three = dict.fromkeys(SEEDS, Scored(targets, scores.argmax(axis=1), scores))
    made.commit("three", three, three, ("accuracy", "f1_macro"))
    row = columns(made)[0]["three"]
    assert row["threshold"] is None
    assert row["f1_at_threshold"] is None
    assert row["temperature"] is not None


def test_test_predictions_are_read_after_everything_is_fitted(pair, monkeypatch):
    from tlbench.results.post_hoc import post_hoc_columns, stored_splits

    opened = []
    read = stored_splits.read_predictions
    monkeypatch.setattr(
        stored_splits, "read_predictions", lambda path, **more: opened.append(path.name) or read(path, **more)
    )
    for name, owner in (("fitted_temperature", post_hoc_columns.c), ("best_threshold", post_hoc_columns)):
        function = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *given, of=function: opened.append("fitted") or of(*given))
    columns(pair)
    assert opened[0].endswith(".validation.parquet")
    assert opened[1:5] == ["fitted"] * 4
    assert len(opened) == 6


def test_options_name_them():
    assert named_in(("score,ece_after", "-temperature", "nll_before<0.3")) == (
        "temperature", "ece_after", "nll_before"
    )  # fmt: skip
    assert named_in(("score", "", "backbone~space_after")) == ()
    known = named_columns(METRICS, ("accuracy",))
    assert set(ADDED) <= set(known)
    assert known["ece_after"].better == -1
    assert known["f1_at_threshold"].shown.read({"f1_at_threshold": 0.5}) == (0.5, "50.0")
