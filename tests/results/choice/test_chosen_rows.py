"""Conditions hide rows and columns sort them, and every row keeps the rank that it has among all rows."""

import pytest

from tlbench.contracts.errors import UsageError
from tlbench.metrics import METRICS
from tlbench.results.choice.chosen_rows import hidden_text, matching_places, sorted_places
from tlbench.results.choice.conditions import read_condition
from tlbench.results.choice.named_columns import SHOWN, find_column, named_columns
from tlbench.results.columns import with_metrics
from tlbench.results.leaderboard import Table
from tlbench.results.records.summaries import summaries_of
from tlbench.results.render.page_columns import RANKING


@pytest.fixture(scope="module")
def table(made):
    _, records, _ = made.suite()
    return Table(summaries_of(records))


@pytest.fixture(scope="module")
def columns(table):
    return named_columns(METRICS, table.metrics)


def rows(table, places=None):
    return [
        (row["task"].partition("-")[0], row["strategy"].partition("[")[0], row["rank"])
        for row in (table if places is None else table.pick(places)).rows(("task", "strategy", "rank"))
    ]


@pytest.fixture(scope="module")
def everything(table):
    return rows(table)


@pytest.mark.parametrize(
    ("condition", "strategies"),
    [
        ("score>=85", {"full-finetune", "partial-finetune"}),
        ("value >= 0.85", {"full-finetune", "partial-finetune"}),
        ("accuracy<60", {"majority"}),
        ("metric.accuracy<0.6", {"majority"}),
        ("backbone=-", {"majority"}),
        ("backbone != minilm*", {"majority"}),
        ("strategy==*-finetune*", {"full-finetune", "partial-finetune"}),
        ("strategy='partial-finetune[stages=2]'", {"partial-finetune"}),
        ("status!=ok", {"full-finetune"}),
        ("searched=true", {"linear-probe"}),
        ("fit<1m", {"full-finetune", "partial-finetune", "linear-probe", "from-scratch", "majority"}),
        ("fit>1h", set()),
        ("memory>0.4GB", {"full-finetune", "partial-finetune", "linear-probe", "from-scratch", "majority"}),
        ("parameters>30M", set()),
        ("rank<=2", {"full-finetune", "partial-finetune", "linear-probe"}),
        # The failed cell has no score, which is unlike any.
        ("score!=0", {"full-finetune", "partial-finetune", "linear-probe", "from-scratch", "majority"}),
    ],
)
def test_rows_that_meet_a_condition(table, columns, everything, condition, strategies):
    places = matching_places(table, [read_condition(condition, columns)])
    assert {strategy for _, strategy, _ in rows(table, places)} == strategies
    assert rows(table, places) == [everything[place] for place in places]


def test_several_conditions_must_all_be_met(table, columns):
    conditions = [read_condition(text, columns) for text in ("accuracy<85", "backbone=minilm*", "task=sst2*")]
    assert [strategy for _, strategy, _ in rows(table, matching_places(table, conditions))] == [
        "linear-probe",
        "from-scratch",
    ]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"strategies": {"linear-probe"}}, {"linear-probe", "majority"}),
        ({"strategies": {"majority"}}, {"majority"}),
        ({"backbones": set()}, {"majority"}),
    ],
)
def test_baselines_stay_beside_names(table, names, expected):
    assert {strategy for _, strategy, _ in rows(table, matching_places(table, [], **names))} == expected


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("score", "write a column, a comparison and a value"),
        ("score>", "write a column, a comparison and a value"),
        ("score=>80", "--filter score=>80: write >= instead of =>"),
        ("fit =< 2m", "write <= instead of =<"),
        ("scor>3", "no column 'scor'; did you mean score"),
        ("qqq>3", "no column 'qqq'; there are rank, backbone, strategy, score"),
        ("strategy<x", "strategy is no number: use = or !="),
        ("searched=maybe", "searched is true or false"),
        ("fit<2 parsecs", "'2 parsecs' is no number, with one of the units s, m, min, h"),
        ("score>80 and fit<2", "join further conditions by"),
    ],
)
def test_a_condition_that_cannot_be_read_is_one_line(columns, condition, message):
    with pytest.raises(UsageError, match=message):
        read_condition(condition, columns)


def test_a_share_of_1_for_a_column_in_points_could_mean_two_things(table, columns):
    with pytest.raises(UsageError, match=r"points of 100: write 90, or value>0\.9 for shares of 1"):
        matching_places(table, [read_condition("score>0.9", columns)])
    assert matching_places(table, [read_condition("score>0", columns)])


@pytest.mark.parametrize(
    ("column", "order"),
    [
        ("score", ["full-finetune", "partial-finetune", "linear-probe", "from-scratch", "majority"]),
        ("accuracy", ["full-finetune", "partial-finetune", "linear-probe", "from-scratch", "majority"]),
        ("strategy", ["from-scratch", "full-finetune", "linear-probe", "majority", "partial-finetune"]),
        ("backbone", ["full-finetune", "partial-finetune", "linear-probe", "from-scratch", "majority"]),
        ("trials", ["full-finetune", "partial-finetune", "from-scratch", "majority", "linear-probe"]),
        ("metric.f1", ["full-finetune", "partial-finetune", "linear-probe", "from-scratch", "majority"]),
    ],
)
def test_scores_are_sorted_best_first_and_other_columns_ascending(table, columns, everything, column, order):
    places = sorted_places(table, find_column(column, columns, "--sort"), is_reversed=False)
    chosen = rows(table, places)
    assert [strategy for task, strategy, _ in chosen if task == "sst2"] == order
    assert sorted(chosen, key=str) == sorted(everything, key=str)
    backwards = rows(table, sorted_places(table, find_column(column, columns, "--sort"), is_reversed=True))
    # The failed cell has no score, and is last in both directions.
    if column == "score":
        assert [row[1] for row in backwards if row[0] == "cola"] == [
            "majority", "linear-probe", "partial-finetune", "full-finetune"
        ]  # fmt: skip


def test_every_shown_column_and_every_column_of_the_frame_has_a_name(columns, table):
    assert set(SHOWN) == {column.name for column in RANKING}
    assert {name for names in SHOWN.values() for name in names} <= set(with_metrics(table.metrics))
    assert set(with_metrics(table.metrics)) <= set(columns)
    row = table.rows()[0]
    assert all(isinstance(column.shown.read(row)[1], str) for column in columns.values())


def test_hidden_rows_are_counted():
    assert hidden_text(0, {"--task": True}) == ""
    assert hidden_text(1, {"--task": True, "--filter": False}) == (
        "1 row is hidden by --task; ranks are among all rows."
    )
    assert "1,200 rows are hidden by --task and --filter" in hidden_text(1200, {"--task": True, "--filter": True})
