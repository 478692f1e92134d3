"""A terminal shows the best of a long ranking and says what it leaves out; the other formats have every row."""

import io

import msgspec
import pytest
from rich.console import Console

from tests.results.render.test_page import csv, leaderboard, markdown
from tlbench.contracts.record import Record, TestScore
from tlbench.results.columns import rows_of
from tlbench.results.leaderboard import Table, frame
from tlbench.results.records.summaries import summaries_of


def scored(made, value, **cell):
    of = made.cell(seeds=(0,), **cell)
    score = TestScore("accuracy", 0, value, value - 0.001, value + 0.001, 400)
    return Record(of, "ok", metrics=("accuracy",), scores=(score,), provenance=made.provenance)


@pytest.fixture(scope="module")
def table(made):
    records = [scored(made, 0.9 - i / 1000, task=t, strategy=f"s{i:03}") for t in ("a", "b") for i in range(130)]
    records += [scored(made, 0.5, task=t, strategy="majority", backbone=None) for t in ("a", "b")]
    for i in range(12):
        failed = msgspec.structs.replace(scored(made, 0.5, task="a", strategy=f"f{i:03}"), scores=(), status="oom")
        records.append(msgspec.structs.replace(failed, reason="too big"))
    return frame(records)


@pytest.fixture(scope="module")
def shown(table):
    console = Console(width=100, file=io.StringIO())
    console.print(leaderboard(table, "long"))
    return console.file.getvalue()


def test_the_best_of_each_task_are_shown_and_the_rest_counted(shown):
    ranking = shown[shown.index("\na ") : shown.index("\nb ")]
    assert "s000" in ranking
    assert "s099" in ranking
    assert "s100" not in ranking
    # Of 130, one baseline and 12 failures, 100 and the baseline stand there.
    assert "and 42 more" in ranking


def test_the_trivial_baseline_stands_in_every_ranking(shown):
    for task in ("\na ", "\nb "):
        ranking = shown[shown.index(task) :]
        assert "majority" in ranking[: ranking.index(" more")]


def test_summary_and_failures_are_counted_too(shown):
    summary = shown[shown.index("over all tasks") : shown.index("without a score")]
    assert "and 103 more" in summary
    assert shown.count("oom: too big") == 10
    assert "and 2 more" in shown
    assert "--format csv has every row" in shown


def test_other_formats_have_every_row(table):
    assert csv(table).count("\n") == len(table) + 1
    page = markdown(table)
    assert page.count("| `s129` |") == 3
    assert page.count("oom: `too big`") == 12


def test_a_short_ranking_is_shown_whole(table):
    console = Console(width=100, file=io.StringIO())
    console.print(leaderboard(table[table["strategy"].between("s000", "s029")]))
    assert "more" not in console.file.getvalue().replace("memory", "")


def test_lines_are_shown_as_their_frame_is(made):
    cells, records, _ = made.suite()
    planned = {cell.id: cell for cell in cells}
    lines = summaries_of(records)
    lines.add_missing(planned)
    table = Table(lines, list(planned))
    assert table.rows() == rows_of(table.frame())
    shown = []
    for each in (table, table.frame()):
        console = Console(width=140, file=io.StringIO())
        console.print(leaderboard(each))
        shown.append(console.file.getvalue())
    assert shown[0] == shown[1]
    assert "9 of 10 cells" in shown[0]
