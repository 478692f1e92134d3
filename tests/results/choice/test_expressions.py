"""Conditions joined by `and`, `or`, `not` and parentheses."""

import pytest

from tlbench.contracts.errors import UsageError
from tlbench.metrics import METRICS
from tlbench.results.choice.chosen_rows import matching_places
from tlbench.results.choice.expressions import read_expression
from tlbench.results.choice.named_columns import named_columns
from tlbench.results.leaderboard import Table
from tlbench.results.records.summaries import summaries_of


@pytest.fixture(scope="module")
def table(made):
    return Table(summaries_of(made.suite()[1]))


@pytest.fixture(scope="module")
def columns(table):
    return named_columns(METRICS, table.metrics)


def strategies(table, columns, text):
    places = matching_places(table, [read_expression(text, columns)])
    return {row["strategy"].partition("[")[0] for row in table.pick(places).rows(("strategy",))}


ALL = {"full-finetune", "partial-finetune", "linear-probe", "from-scratch", "majority"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("memory<2GB and strategy!='linear-probe'", ALL - {"linear-probe"}),
        ("strategy=majority or strategy=linear-probe", {"majority", "linear-probe"}),
        ("strategy=majority or strategy=linear-probe and score>99", {"majority"}),
        ("(strategy=majority or strategy=linear-probe) and score>99", set()),
        ("not strategy=majority", ALL - {"majority"}),
        ("not (strategy=majority or strategy=*-finetune*)", {"linear-probe", "from-scratch"}),
        ("NOT strategy=majority AND not strategy=linear-probe", ALL - {"majority", "linear-probe"}),
        ("((strategy=majority))  ", {"majority"}),
        # Takes minutes if each space looks for a word behind all others.
        (f"strategy={' ' * 60_000}majority{' ' * 60_000}or rank{' ' * 60_000}=99", {"majority"}),
        # Names with brackets, words and parentheses in them.
        ("strategy='partial-finetune[stages=2]' and score>0", {"partial-finetune"}),
        ("strategy=partial-finetune[stages=2] or strategy=orange", {"partial-finetune"}),
        ("task='a and b' or strategy=majority", {"majority"}),
        ("task=trec (8 shots) or strategy=majority", {"majority"}),
        ('task!="(" and strategy=majority', {"majority"}),
    ],
)
def test_rows_meet_an_expression(table, columns, text, wanted):
    assert strategies(table, columns, text) == wanted


def test_a_missing_value_meets_only_a_negation(table, columns):
    without = strategies(table, columns, "status!=ok")
    assert strategies(table, columns, "status!=ok and not score>0") == without
    assert strategies(table, columns, "status!=ok and score>0") == set()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("score>80 and", "score>80 and: a condition is missing: write a column"),
        ("()", "a condition is missing"),
        ("score<>80", "write != instead of <>"),
        ("score>80 and and rank=1", "write a column"),
        ("(score>80", "not closed"),
        ("score>80)", "none has opened"),
        ("(score>80) rank=1", "between conditions"),
        ("strategy='a", "does not end"),
        ("scor>80 and rank=1", "no column 'scor'"),
        ("score>0.8 and rank=1", "write 80"),
        ("not", "write a column"),
        ("", "write a column"),
        ("(" * 4000 + "score>1", "more than 50"),
        ("not " * 4000 + "score>1", "more than 50"),
        ("__import__('os').system('id')", "write a column"),
    ],
)
def test_a_mistake_is_one_line(table, columns, text, says):
    with pytest.raises(UsageError) as caught:
        strategies(table, columns, text)
    assert says in str(caught.value)
