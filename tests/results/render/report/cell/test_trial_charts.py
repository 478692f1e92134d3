"""The charts and the table of a search."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.record import FitResult, Point, Record
from tlbench.results.render.report.cell.parallel_chart import parallel_chart
from tlbench.results.render.report.cell.trial_charts import learning_chart, search_chart, trial_table

CELL = Cell(Ref("t"), Ref("s"), Protocol(trials=4, sampler="random"))


def record(scores, params, history=()):
    trials = [
        FitResult(of, 0, "search", n, "ok" if score is not None else "diverged", validation=score)
        for n, (score, of) in enumerate(zip(scores, params, strict=True))
    ]
    final = FitResult(params[0], 3, "final", 0, "ok", history=tuple(history))
    return Record(CELL, "ok", trials=tuple(trials), fits=(final,), best_params=params[0])


PARAMS = [{"lr": 0.1, "kind": "a"}, {"lr": 0.001, "kind": "b"}, {"lr": 0.01, "kind": "a", "only": 3}, {"lr": 0.1}]
SEARCH = record([0.9, 0.5, None, 0.7], PARAMS)


def test_the_table_has_every_hyperparameter_and_marks_the_winner():
    table = trial_table(SEARCH)
    assert [column.heading for column in table.columns] == [
        "trial", "lr", "kind", "only", "validation", "status", "fit"
    ]  # fmt: skip
    rows = [[cell.text for cell in row.cells[:6]] for row in table.rows]
    assert rows[2] == ["2", "0.01", "a", "3", "-", "diverged"]
    assert [row.is_best for row in table.rows] == [True, False, False, False]
    assert trial_table(Record(CELL, "ok")) is None


def test_the_expected_best_rises_to_the_best_and_equal_scores_are_not_drawn():
    chart = search_chart(SEARCH, str, True)
    svg = ElementTree.fromstring(chart.svg)
    dots = [float(one.get("cy")) for one in svg.iter("circle")]
    # Four trials, then four values of the curve, which ends at the height of the best trial; higher is smaller.
    assert dots[7] == min(dots[:4])
    assert dots[4:] == sorted(dots[4:], reverse=True)
    assert chart.remark == ""
    assert search_chart(record([0.5] * 4, PARAMS), str, True) is None


def test_a_curve_of_reported_scores_is_drawn_for_fits_with_two():
    points = [Point(10, 0.5), Point(20, None, 0.3), Point(30, 0.7)]
    chart = learning_chart(record([0.9, 0.5, None, 0.7], PARAMS, points), str)
    assert [name for _, name, _ in chart.key] == ["final fit, seed 3"]
    assert len(re.findall("<circle", chart.svg)) == 2
    assert learning_chart(SEARCH, str) is None


def test_parallel_coordinates_have_a_line_for_each_scored_trial_with_the_winner_on_top():
    svg = ElementTree.fromstring(parallel_chart(SEARCH, str, True))
    lines = [one for one in svg.iter("path") if (one.get("class") or "").startswith("trial")]
    assert [one.get("class") for one in lines] == ["trial t0", "trial t1", "trial winner"]
    names = {text.text for text in svg.iter("text")}
    assert {"lr", "kind", "validation"} <= names
    assert "only" not in names
    assert parallel_chart(record([0.9, 0.5], PARAMS[:2]), str, True) == ""
