"""The pages of a night: hostile names, cells that failed, and equal bytes for equal results."""

import pytest

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.record import Record, TestScore
from tlbench.results.records.store import Store
from tools.nightly.history import drawing, read_history
from tools.nightly.nights import Finding, open_night, read_nights
from tools.nightly.pages import Comparison, write_pages

HOSTILE = "<script>alert(1)</script>`|\n# x"


def stored(night, *, task="tone", protocol=Protocol(), value=0.5):
    cell = Cell(Ref(task), Ref("linear-probe"), protocol, Ref("tiny"))
    scores = () if value is None else (TestScore("accuracy", 0, value, value - 0.1, value + 0.1, 100),)
    record = Record(cell, "failed" if value is None else "ok", reason="it broke", metrics=("accuracy",), scores=scores)
    assert Store.create(night.folder).commit(record, night.folder)
    return cell


@pytest.fixture
def history(tmp_path):
    """Two nights, whose second has lost the score of a task with a hostile name."""
    first, second = open_night(tmp_path, "a" * 10), None
    stored(first, task=HOSTILE)
    stored(first)
    first.found(Finding("first"))
    second = open_night(tmp_path, "b" * 10)
    stored(second, task=HOSTILE, value=None)
    stored(second, value=0.75)
    second.found(Finding("regression", first.name, 1, 1))
    return read_history(read_nights(tmp_path))


def compared(verdict="lost"):
    sides = {"a": {"score": 0.5}, "b": {"score": None}}
    row = {"name": f"{HOSTILE} | tiny | linear-probe", "metric": "accuracy", "difference": None, "corrected_p": None}
    return Comparison("1", "2", {"comparisons": [{**row, **sides, "verdict": verdict}]}, "text")


def test_names_are_shown_as_text(history, tmp_path):
    write_pages(tmp_path / "site", history, compared(), "board")
    page = (tmp_path / "site" / "index.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    issue = (tmp_path / "site" / "issue.md").read_text()
    (line,) = [line for line in issue.splitlines() if "script" in line]
    # An indented block: Markdown reads nothing in it, and the name adds no line.
    assert line.startswith("    ")


def test_a_lost_score_is_a_gap_and_counts_as_a_regression(history, tmp_path):
    lost, kept = sorted(history.rows, key=lambda row: row.has_score)
    assert [cell.value for cell in lost.cells.values()] == [0.5, None]
    assert kept.has_score
    assert drawing(history).count("<circle") == 3
    write_pages(tmp_path / "site", history, compared(), "board")
    page = (tmp_path / "site" / "index.html").read_text()
    assert page.count('<tr class="bad">') == 2, "the row, and its night"


def test_equal_results_give_equal_pages_and_a_pass_removes_the_issue(history, tmp_path):
    for site in ("one", "two"):
        write_pages(tmp_path / site, history, compared(), "board")
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["compare.json", "compare.txt", "history.svg", "index.html", "issue.md", "leaderboard.md"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    write_pages(tmp_path / "one", history, compared("equal"), "board")
    assert not (tmp_path / "one" / "issue.md").exists()


def test_cells_that_differ_in_protocol_alone_are_rows_of_their_own(tmp_path):
    night = open_night(tmp_path, "c" * 10)
    cells = [stored(night, protocol=Protocol(train_limit=limit)) for limit in (8, 16)]
    names = [row.names[3] for row in read_history([night]).rows]
    assert names == sorted(cell.id[:8] for cell in cells)
