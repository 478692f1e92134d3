"""The Pareto front of score and cost, and the best row for each value of a column."""

import numpy as np
import pytest

from tests.results.conftest import answers, cell, record
from tlbench.contracts.record import Memory, Seconds
from tlbench.metrics import METRICS
from tlbench.results.choice.fronts import best_places, pareto_places
from tlbench.results.choice.named_columns import find_column, named_columns
from tlbench.results.leaderboard import Table
from tlbench.results.records.summaries import summaries_of

# Accuracy, seconds and gigabytes.
POINTS = {
    "s0": (0.9, 30, 5), "s1": (0.87, 35, 4), "s2": (0.8, 20, 9), "s3": (0.77, 25, 1), "s4": (0.7, 10, 7),
    "s5": (0.6, 10, 7), "s6": (0.65, 2, 2), "s7": (0.55, 1, 30),
}  # fmt: skip


@pytest.fixture(scope="module")
def table():
    records = [
        record(
            cell(strategy=name, backbone="small" if int(name[1:]) % 2 else "large"),
            answers(accuracy=share, n=100),
            seconds=Seconds(total=total),
            memory=Memory(host_own_bytes=memory * 10**9),
        )
        for name, (share, total, memory) in POINTS.items()
    ]
    failed = record(cell(strategy="failed"), None, status="oom")
    scalar = [
        record(
            cell(task="stsb", strategy=name),
            answers("stsb", share, scalar=True),
            ("mse",),
            seconds=Seconds(total=total),
        )
        for name, share, total in (("good", 0.9, 9.0), ("bad", 0.5, 9.5), ("cheap", 0.4, 1.0))
    ]
    return Table(summaries_of([*records, failed, *scalar]))


def columns_of(table, *names):
    known = named_columns(METRICS, table.metrics)
    return [find_column(name, known, "--cost") for name in names]


@pytest.mark.parametrize("costs", [("total_seconds",), ("total_seconds", "memory")])
def test_the_front_is_that_of_comparing_every_pair(table, costs):
    rows = [row for row in table.rows() if row["task"] == "sst2-lite" and row["value"] is not None]
    names = ("total_seconds", "host_own_bytes")[: len(costs)]
    points = {row["strategy"]: (-row["value"], *(row[name] for name in names)) for row in rows}
    wanted = {
        name
        for name, one in points.items()
        if not any(other != one and all(np.array(other) <= np.array(one)) for other in points.values())
    }
    front = table.pick(pareto_places(table, columns_of(table, *costs))).rows(("task", "strategy"))
    assert {row["strategy"] for row in front if row["task"] == "sst2-lite"} == wanted
    assert 1 < len(wanted) < len(points)


def test_smaller_scores_are_better_where_the_metric_says_so(table):
    front = table.pick(pareto_places(table, columns_of(table, "total_seconds"))).rows(("task", "strategy"))
    assert {row["strategy"] for row in front if row["task"] == "stsb"} == {"good", "cheap"}


def test_the_best_row_of_each_backbone_is_shown(table):
    places = best_places(table, columns_of(table, "backbone")[0])
    rows = [row for row in table.pick(places).rows(("task", "backbone", "value")) if row["task"] == "sst2-lite"]
    assert {row["backbone"] for row in rows} == {"small", "large", "minilm-l6"}
    for row in rows:
        others = [
            one["value"] for one in table.rows() if (one["task"], one["backbone"]) == (row["task"], row["backbone"])
        ]
        assert row["value"] == max((value for value in others if value is not None), default=None)
