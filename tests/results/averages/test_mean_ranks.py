"""Means over tasks on a common scale, their ranks and intervals."""

import pytest

from tests.results.ranked_table import ranked_table
from tlbench.results.averages.scales import TaskCell, scales

TASKS = ("one", "two", "three")


def table_of(made, shares, failed=(), seeds=(0, 1, 2), tasks=TASKS):
    """Returns a table of strategies with an accuracy each on every task, and `failed` pairs of task and strategy."""
    cells = [
        (made.cell(task, name, backbone, seeds=seeds), made.answers(task, share, seeds, draw=i))
        for task in tasks
        for i, ((name, backbone), share) in enumerate(shares.items())
        if (task, name) not in failed
    ]
    return ranked_table(made, cells, failed=[made.cell(task, name, "b", seeds=seeds) for task, name in failed])


def rows_of(table):
    return {row["strategy"]: row for row in table.averages()[0].rows}


FLOOR = {("majority", None): 0.5}


def test_scores_lie_between_the_floor_and_the_best_value(made):
    table = table_of(made, {("good", "b"): 0.9, **FLOOR})
    rows = rows_of(table)
    scored = {(row["task"], row["strategy"]): row["value"] for row in table.rows()}
    shares = [(scored[task, "good"] - scored[task, "majority"]) / (1 - scored[task, "majority"]) for task in TASKS]
    assert rows["majority"]["mean"] == 0
    assert rows["good"]["mean"] == pytest.approx(sum(shares) / 3)
    assert rows["good"]["low"] < rows["good"]["mean"] < rows["good"]["high"] <= 1


def test_near_equals_share_the_ranks_that_the_data_allow(made):
    rows = rows_of(table_of(made, {("good", "b"): 0.9, ("same", "b"): 0.9, ("poor", "b"): 0.6, **FLOOR}))
    assert {name: (row["rank"], row["rank_last"]) for name, row in rows.items()} == {
        "good": (1, 2), "same": (1, 2), "poor": (3, 3), "majority": (4, 4)
    }  # fmt: skip
    assert [row["ranked_by"] for row in rows.values()] == ["paired test"] * 4


def test_a_failed_cell_counts_as_the_floor_and_is_not_left_out(made):
    shares = {("good", "b"): 0.9, ("frail", "b"): 0.9, **FLOOR}
    rows = rows_of(table_of(made, shares, failed=[("two", "frail")]))
    whole = rows_of(table_of(made, shares))
    assert rows["frail"]["mean"] == pytest.approx(whole["frail"]["mean"] * 2 / 3, abs=0.05)
    assert (rows["frail"]["rank"], rows["frail"]["failed"], rows["frail"]["tasks"]) == (2, 1, 2)
    assert (rows["good"]["rank"], rows["majority"]["rank"]) == (1, 3)


def test_rows_that_miss_a_task_or_have_one_seed_have_no_rank(made):
    def cell(task, name, share, seeds=(0, 1, 2)):
        return made.cell(task, name, "b", seeds=seeds), made.answers(task, share, seeds)

    cells = [cell(task, name, share) for task in TASKS for name, share in (("good", 0.9), ("poor", 0.6))]
    cells += [cell("one", "early", 0.9), *(cell(task, "once", 0.9, (0,)) for task in TASKS)]
    rows = rows_of(ranked_table(made, cells))
    found = {name: (row["rank"], row["ranked_by"]) for name, row in rows.items()}
    assert found == {
        "good": (1, "paired test"), "poor": (2, "paired test"), "early": (None, ""), "once": (None, "one seed")
    }  # fmt: skip
    assert rows["early"]["mean"] > 0
    assert list(rows)[-1] == "early"


def test_hidden_rows_change_no_rank_and_no_mean(made):
    table = table_of(made, {("good", "b"): 0.9, ("poor", "b"): 0.6, **FLOOR})
    poor = [i for i, name in enumerate(table.columns(["strategy"])["strategy"]) if name == "poor"]
    (row,) = table.pick(poor).averages()[0].rows
    assert row == rows_of(table)["poor"]


def cell_of(task, value, strategy="majority", backbone="", metric="accuracy", better=True, worst=0.0, best=1.0):
    return TaskCell(
        task=task, backbone=backbone, strategy=strategy, variant="", status="ok", rank=1, metric=metric,
        metric_label=metric, greater_is_better=better, in_points=better, metric_worst=worst, metric_best=best,
        value=value, seeds=3, encode_seconds=0, fit_seconds=0, total_seconds=0,
    )  # fmt: skip


def test_scales_of_metrics_of_every_kind():
    found = scales([
        cell_of("matthews", 0.0), cell_of("loss", 0.7, metric="log_loss", better=False, worst=None, best=0.0),
        cell_of("none", 0.7, "linear-probe", "b"),
        cell_of("unknown", 0.7, "linear-probe", "b", "log_loss", better=False, worst=36.0, best=0.0),
        cell_of("unbounded", 0.7, worst=None, best=None),
        cell_of("perfect", 1.0),
        cell_of("two", 0.4), cell_of("two", 0.5, "word-majority"), cell_of("two", 0.9, "from-scratch", "b"),
    ])  # fmt: skip
    assert {task: (scale.floor, scale.best) for task, scale in found.items()} == {
        "matthews": (0.0, 1.0), "loss": (0.7, 0.0), "none": (0.0, 1.0), "two": (0.5, 1.0)
    }  # fmt: skip
    assert found["loss"].share(0.35) == pytest.approx(0.5)
    assert found["loss"].share(1.4) == pytest.approx(-1.0)
