"""Tests of what a page says on practical equality, detectable differences and unequal searches."""

from __future__ import annotations

import json

import pytest

from tlbench.results.leaderboard import Table, frame
from tlbench.results.ranking import by_predictions
from tlbench.results.records.stored_predictions import predictions_in
from tlbench.results.records.summaries import summaries_of
from tlbench.results.render.formats import FORMATS
from tlbench.results.render.page import Page
from tlbench.results.significance.margins import Margins


@pytest.fixture
def records(made):
    """Three strategies of three seeds, one of them searched longer, and one of one seed; and their predictions."""
    records, kept = [], {}
    for strategy, share, seeds, trials in (("a", 0.9, 3, 1), ("b", 0.89, 3, 1), ("c", 0.6, 3, 16), ("d", 0.95, 1, 1)):
        cell = made.cell(strategy=strategy, seeds=tuple(range(seeds)), trials=trials)
        kept[cell.id] = made.answers(accuracy=share, seeds=tuple(range(seeds)), draw=ord(strategy))
        records.append(made.record(cell, kept[cell.id], trials=trials, best_params={"lr": 0.1}))
    return records, lambda record: kept[record.cell.id]


def table(records, margin=1.0):
    found, predictions = records
    by_id = {record.cell.id: record for record in found}

    def read(summary):
        stored = predictions(by_id[summary.cell])
        return predictions_in({str(name): column.to_numpy() for name, column in stored.items()})

    ranked = lambda metric, group: by_predictions(metric, group, read)  # noqa: E731
    return Table(summaries_of(found), ranked=ranked, margins=Margins(margin))


def rendered(name, table):
    return FORMATS[name].render(Page(table))


def test_rows_are_compared_with_the_best_row_that_has_a_rank(records):
    rows = {row["strategy"]: row for row in frame(records[0], predictions=records[1]).to_dict("records")}
    assert rows["d"]["ranked_by"] == "one seed"
    assert str(rows["a"]["p_equal"]) == str(rows["d"]["p_equal"]) == "nan"
    assert rows["c"]["p_equal"] < 0.001 < 0.1 < rows["b"]["p_equal"] < 1
    assert {rows[name]["margin"] for name in "abc"} == {0.01}
    assert len({rows[name]["detectable"] for name in "abc"}) == 1


def test_a_wider_margin_makes_equality_more_probable(records):
    narrow, wide = (
        next(row["p_equal"] for row in table(records, margin).rows() if row["strategy"] == "b") for margin in (1, 3)
    )
    assert narrow < wide
    assert "within 3 points of that of the best row with a rank" in rendered("markdown", table(records, 3))


@pytest.mark.parametrize("name", ["markdown", "terminal"])
def test_each_task_says_which_differences_it_can_find(records, name):
    smallest = next(row["detectable"] for row in table(records).rows() if row["strategy"] == "a")
    assert f"Differences under {100 * smallest:.1f} points are found here with less than 80% power." in " ".join(
        rendered(name, table(records)).split()
    )


def test_json_has_it_as_a_value(records):
    (task,) = json.loads(rendered("json", table(records)))["tasks"]
    assert task["detectable"]["value"] == max(row["detectable"] or 0 for row in table(records).rows())
    # Neither the best row nor that of one seed has a probability.
    assert [row["values"]["equal"]["text"] for row in task["rows"]].count("-") == 2


def test_without_tests_nothing_is_claimed(records):
    text = rendered("markdown", Table(summaries_of(records[0])))
    assert "power" not in text
    assert "P(equal to best)" not in text


def test_a_row_that_was_searched_longer_is_marked(records):
    text = rendered("markdown", table(records))
    assert "(a) `searched over 16 trials, where other rows of the task had one setting`." in text
    assert "`c` (a)" in text
