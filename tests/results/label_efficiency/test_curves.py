"""Learning curves from rows of a leaderboard, and the names of tasks without their amounts of data."""

from __future__ import annotations

from typing import Any

import pytest

from tlbench.results.label_efficiency.curves import NEEDED, SizedScore, task_curves
from tlbench.results.label_efficiency.task_amounts import without_amount, without_limit


def row(strategy: str, examples: int | None, value: float | None, task: str = "trec", **changes: Any) -> dict[str, Any]:
    defaults = {
        "task": task, "shots": None, "train_fraction": None, "train_examples": examples, "backbone": "b",
        "strategy": strategy, "variant": "", "status": "ok", "metric": "accuracy", "metric_label": "accuracy",
        "greater_is_better": True, "in_points": True, "value": value, "low": None, "high": None,
        "interval_of": "one fit", "cell": f"{strategy}{examples}",
    }  # fmt: skip
    return {**defaults, **changes}


def columns(*rows: dict[str, Any]) -> dict[str, list[Any]]:
    return {name: [one[name] for one in rows] for name in NEEDED}


def test_sizes_of_one_task_are_joined_whatever_limits_them() -> None:
    (task,) = task_curves(
        columns(
            row("full", 1000, 0.9, "trec (version 2)"),
            row("full", 48, 0.5, "trec (version 2, 8 shots)", shots=8),
            row("full", 100, 0.7, "trec (version 2, 10% of the training data)", train_fraction=0.1),
            row("full", 200, 0.8, "trec (version 2)", variant="train_limit=200"),
        )
    )
    assert task.task == "trec (version 2)"
    (curve,) = task.curves
    assert [(point.examples, point.value) for point in curve.points] == [(48, 0.5), (100, 0.7), (200, 0.8), (1000, 0.9)]
    assert curve.variant == ""
    assert task.sizes == (48, 100, 200, 1000)


def test_a_curve_needs_two_sizes_with_scores() -> None:
    rows = [
        row("one", 50, 0.5),
        row("failed", 50, 0.5),
        row("failed", 200, None, status="oom"),
        row("old", 50, 0.5),
        row("old", None, 0.6),
        row("same", 50, 0.5, cell="x"),
        row("same", 50, 0.9, cell="y"),
    ]
    assert task_curves(columns(*rows)) == []


def test_of_two_cells_of_one_size_the_score_does_not_choose() -> None:
    (task,) = task_curves(
        columns(row("a", 50, 0.5, cell="1"), row("a", 50, 0.9, cell="2"), row("a", 80, 0.6, cell="3"))
    )
    assert [point.value for point in task.curves[0].points] == [0.5, 0.6]


def test_other_settings_and_metrics_have_curves_of_their_own() -> None:
    rows = [
        row("a", size, value, variant=f"train_limit={size}, trials={trials}")
        for trials, values in ((1, (0.5, 0.6)), (8, (0.6, 0.7)))
        for size, value in zip((50, 80), values, strict=True)
    ]
    rows += [row("a", size, 3.0, metric="rmse", greater_is_better=False, in_points=False) for size in (50, 80)]
    first, second = task_curves(columns(*rows))
    assert [curve.variant for curve in first.curves] == ["trials=8", "trials=1"]
    assert (second.greater_is_better, second.in_points, len(second.curves)) == (False, False, 1)


def test_only_an_interval_over_seeds_is_kept() -> None:
    (task,) = task_curves(
        columns(
            row("a", 50, 0.5, low=0.4, high=0.6, interval_of="strategy"),
            row("a", 80, 0.7, low=0.6, high=0.8),
        )
    )
    assert task.curves[0].points == (SizedScore(50, 0.5, 0.4, 0.6), SizedScore(80, 0.7, None, None))


def test_curves_are_sorted_by_their_last_score_in_the_metric_s_direction() -> None:
    rows = [row(name, size, value) for name, value in (("a", 0.2), ("b", 0.3)) for size in (50, 80)]
    assert [curve.strategy for curve in task_curves(columns(*rows))[0].curves] == ["b", "a"]
    rows = [{**one, "greater_is_better": False} for one in rows]
    assert [curve.strategy for curve in task_curves(columns(*rows))[0].curves] == ["a", "b"]


@pytest.mark.parametrize(
    ("task", "shots", "fraction", "expected"),
    [
        ("trec", None, None, "trec"),
        ("trec (1 shot)", 1, None, "trec"),
        ("trec (0.5% of the training data)", None, 0.005, "trec"),
        ("trec (version 2, 8 shots)", 8, None, "trec (version 2)"),
        # A task may be called so itself.
        ("x (8 shots)", None, None, "x (8 shots)"),
        ("x (8 shots) (8 shots)", 8, None, "x (8 shots)"),
    ],
)
def test_the_amount_is_taken_off_the_name(task: str, shots: int | None, fraction: float | None, expected: str) -> None:
    assert without_amount(task, shots, fraction) == expected


def test_the_limit_is_taken_off_a_variant() -> None:
    assert without_limit("train_limit=50") == ""
    assert without_limit('train_limit=all, final="train", trials=3') == 'final="train", trials=3'
