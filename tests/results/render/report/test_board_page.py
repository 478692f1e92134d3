"""The matrices and tables of a leaderboard's page."""

from __future__ import annotations

import json

import pytest

from tlbench.results.render.page import Page
from tlbench.results.render.report.board_page import BoardPage, leaders
from tlbench.results.render.report.html import Html
from tlbench.results.render.report.matrices import task_matrix, win_matrix


def row(task, strategy, value, status="ok", greater_is_better=True):
    return {
        "task": task, "backbone": "b", "strategy": strategy, "variant": "", "status": status, "value": value,
        "greater_is_better": greater_is_better, "in_points": True, "cell": f"{task}-{strategy}",
    }  # fmt: skip


ROWS = [
    row("one", "a", 0.9), row("one", "c", 0.5), row("two", "a", 0.2, greater_is_better=False),
    row("two", "c", 0.1, greater_is_better=False), row("three", "a", 0.7), row("three", "c", None, "oom"),
    row("four", "a", 0.7), row("four", "c", None, "pending"),
]  # fmt: skip
ORDER = [("b", "a", ""), ("b", "c", "")]


def test_wins_count_tasks_that_both_have_and_a_failed_cell_loses():
    found = win_matrix(ROWS, ORDER)
    assert found.names == ("a on b", "c on b")
    assert [[cell.text for cell in line] for line in found.rows] == [["", "2/3"], ["1/3", ""]]


def test_scores_are_shaded_within_their_task_with_the_better_one_darkest():
    found = task_matrix(ROWS, ORDER, lambda one: one["cell"])
    assert found.tasks == ("one", "two", "three", "four")
    cells = {name: [(cell.text, cell.shade) for cell in line] for name, line in found.rows}
    assert cells["a on b"] == [("90.0", 9), ("20.0", 0), ("70.0", 9), ("70.0", 9)]
    assert cells["c on b"] == [("50.0", 0), ("10.0", 9), ("oom", None), ("", None)]


def test_the_same_records_give_the_same_bytes(board):
    table, _ = board
    first, again = (list(Html().files(Page(table, "t"), NoRecords())) for _ in range(2))
    assert first == again
    assert len({name for name, _ in first}) == len(first) == 5 + 8


class NoRecords:
    def record(self, cell_id):
        return None


def test_sorting_has_full_precision_and_intervals_have_places(board):
    page = Page(board[0], "t")
    part = BoardPage(page).tasks[0]
    place = [column.name for column in part.table.columns].index("score")
    lines = {line.cell: line for line in part.section.lines}
    for shown, line in zip(part.table.rows, lines.values(), strict=True):
        assert shown.cells[place].key == line.values["score"].value
        low, high = line.values["interval"].value
        assert shown.span.low <= shown.span.value <= shown.span.high
        assert (shown.span.high - shown.span.low > 0) == (high > low)
    falls = {column.name: column.falls for column in part.table.columns}
    assert falls["score"]
    assert not falls["fit"]


def test_the_data_file_is_a_script_of_plain_data(board, monkeypatch):
    monkeypatch.setattr(Page, "first_cells", lambda self, limits: set())
    content = BoardPage(Page(board[0], "t")).data().decode()
    assert content.isascii()
    tables = json.loads(content.removeprefix("window.tlbenchTables = ").removesuffix(";\n"))
    numbers = {name: len(json.loads(text)["rows"]) for name, text in tables}
    assert numbers == {"summary-0": 0, "ranking-0": 4, "ranking-1": 4}


def test_an_index_names_the_first_row_of_each_task_and_its_ties(board):
    found = leaders(Page(board[0], "t"))
    assert [(one["task"], one["title"], one["ties"]) for one in found] == [
        ("one", "good on b", 1), ("two", "same on b", 1)
    ]  # fmt: skip
    assert float(found[0]["score"]) == pytest.approx(92, abs=4)
