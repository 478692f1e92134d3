"""Groups of test examples in tables: how many there are, and what older records lack."""

import msgspec
import pytest

from tests.results.render.test_page import csv, leaderboard, markdown
from tests.results.render.test_page_metrics import text_of
from tlbench.contracts.record import TestGroups
from tlbench.results.columns import rows_of
from tlbench.results.leaderboard import frame
from tlbench.results.render.legend import legend

GROUPED = "Where test examples have groups, intervals and ranks are over new groups, not new examples of the same."
OLDER = "Intervals of one fitted model in records without groups are over single examples: too narrow."


@pytest.fixture
def record(made):
    def make(strategy, seeds=(0, 1, 2), groups=None, accuracy=0.9, n=400):
        answers = made.answers(seeds=seeds, accuracy=accuracy, n=n)
        cell = made.cell("sst2-lite", strategy, seeds=seeds)
        if groups:
            answers["group"] = [str(i % groups.count) for i in range(n)] * len(seeds)
        made_record = msgspec.structs.replace(made.record(cell, answers), test_groups=groups)
        return made_record, answers

    return make


def table(*made):
    kept = {record.cell.id: answers for record, answers in made}
    return frame([record for record, _ in made], predictions=lambda record: kept[record.cell.id])


TEMPLATES = TestGroups(20, "sentence template")


def test_the_heading_says_how_many_groups_there_are(record):
    grouped, alone = table(record("full-finetune", groups=TEMPLATES)), table(record("full-finetune"))
    text = "400 test examples in 20 groups (sentence template)"
    assert f"accuracy, {text}." in markdown(grouped)
    assert text in text_of(leaderboard(grouped))
    assert "sentence template" in csv(grouped)
    assert [(row["groups"], row["group"]) for row in rows_of(grouped)] == [(20, "sentence template")]
    assert GROUPED in legend(rows_of(grouped))
    assert "400 test examples." in markdown(alone)
    assert GROUPED not in legend(rows_of(alone))


def test_a_kind_of_group_is_harmless(record):
    page = markdown(table(record("full-finetune", groups=TestGroups(20, "<img src=x>\n# [a](b)"))))
    assert "\n# " not in page
    # In a code span, on one line.
    assert "in 20 groups `(<img src=x> # [a](b))`." in page


def test_records_without_groups_take_those_of_others(record):
    """Also of a record with one seed, which has no rank itself."""
    older = [record("full-finetune"), record("linear-probe", accuracy=0.6)]
    newer = [record("full-finetune", groups=TEMPLATES), record("linear-probe", accuracy=0.6, groups=TEMPLATES)]
    extra = record("majority", seeds=(0,), groups=TEMPLATES)
    intervals = [
        [(row["low"], row["high"]) for row in rows_of(table(*some, extra)) if row["strategy"] != "majority"]
        for some in (older, newer)
    ]
    assert intervals[0] == intervals[1]
    assert intervals[0] != [(row["low"], row["high"]) for row in rows_of(table(*older))]


def test_intervals_of_one_fit_without_the_groups_of_others_are_named(record):
    mixed = [record("full-finetune", groups=TEMPLATES), record("linear-probe", seeds=(0,))]
    assert OLDER in legend(rows_of(table(*mixed)))
    assert OLDER not in legend(rows_of(table(mixed[0])))
    assert OLDER not in legend(rows_of(table(mixed[1])))
