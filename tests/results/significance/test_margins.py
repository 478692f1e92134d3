"""Tests of the margins within which rows count as practically equal."""

from __future__ import annotations

import pytest

from tlbench.contracts.errors import UsageError
from tlbench.metrics import METRICS
from tlbench.results.significance.margins import Margins, equality_columns, read_margins


def test_a_margin_is_in_points_and_a_metric_in_its_own_unit_needs_one_of_its_own():
    assert Margins().by_metric(METRICS)["accuracy"] == 0.01
    assert "rmse" not in Margins().by_metric(METRICS)
    read = read_margins(["2", "rmse=0.05", "f1=3"], METRICS, {"rmse", "f1"}).by_metric(METRICS)
    assert (read["accuracy"], read["rmse"], read["f1"]) == pytest.approx((0.02, 0.05, 0.03))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["0"], "--margin 0: expected a number above 0"),
        (["-1"], "expected a number above 0"),
        (["nan"], "expected a number above 0"),
        (["inf"], "expected a number above 0"),
        (["wide"], "--margin wide: expected a number above 0"),
        (["f1="], "--margin f1=: expected a number above 0"),
        (["acuracy=2"], "no metric 'acuracy'; did you mean accuracy"),
        (["accuracy=2"], "--margin accuracy=2: no task of this table is ranked by accuracy, only by f1, rmse"),
        (["1", "2"], "--margin 2: there is another margin in points: keep one"),
        (["f1=1", "f1=2"], "there is another margin of f1"),
    ],
)
def test_what_cannot_be_read_is_one_line(texts, message):
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        read_margins(texts, METRICS, {"f1", "rmse"})


def test_columns_are_empty_where_nothing_was_tested_or_the_metric_has_no_margin():
    posterior = (0.0, 0.01, 20.0)
    columns = equality_columns(
        ["accuracy", "accuracy", "accuracy", "rmse"],
        [None, posterior, None, posterior],
        [0.03, 0.03, None, 0.2],
        Margins().by_metric(METRICS),
    )
    assert columns["margin"] == [0.01, 0.01, None, None]
    assert columns["detectable"] == [0.03, 0.03, None, 0.2]
    assert columns["p_equal"][1] == pytest.approx(0.671, abs=0.001)
    assert [columns["p_equal"][i] for i in (0, 2, 3)] == [None, None, None]


def test_rows_with_equal_predictions_are_equal_though_no_difference_could_be_found():
    columns = equality_columns(["f1", "f1"], [None, (0.0, 0.0, 49.0)], [None, None], {"f1": 0.01})
    assert columns == {
        "p_equal": [None, 1.0],
        "p_best": [None, 1.0],
        "margin": [None, 0.01],
        "detectable": [None, None],
    }
