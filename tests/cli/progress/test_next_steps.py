"""What a run suggests at its end."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tlbench.cli.progress.next_steps import next_steps
from tlbench.contracts.cell import Cell, Plan, Protocol, Ref
from tlbench.contracts.errors import UnknownName


class Board:
    def __init__(self, *rows):
        names = ("task", "cell", "backbone", "strategy", "status", "rank", "total_seconds")
        self._rows = [dict(zip(names, row, strict=True)) | {"p_best": None, "parameters": 1} for row in rows]

    def rows(self, columns):
        return self._rows


class Catalog:
    def __init__(self, modality="text"):
        self._modality = modality

    def task(self, name):
        if self._modality is None:
            raise UnknownName(name)
        return SimpleNamespace(item=SimpleNamespace(modality=self._modality))


def plan(task="t"):
    return Plan("s", (Cell(Ref(task), Ref("full"), Protocol(), Ref("b")),), ())


ROWS = (
    ("t", "aaaa", "big", "full", "ok", 1, 100.0),
    ("t", "bbbb", "small", "probe", "ok", 1, 2.0),
    ("t", "cccc", "", "majority", "ok", 3, 0.1),
    ("t", "dddd", "big", "lora", "failed", 4, 5.0),
)


def test_the_best_the_cheapest_of_its_equals_and_own_data(tmp_path):
    out = tmp_path / "out"
    lines = [" ".join(line.split()) for line in next_steps(Board(*ROWS), plan(), Catalog(), out)]
    assert lines == [
        f"tlbench show aaaa --out {out} # the best on t: big | full",
        f"tlbench show bbbb --out {out} # the cheapest that is not told apart from it: small | probe, 2.0 s of work,"
        " not 1 min 40 s",
        f"tlbench predict aaaa NEW.csv -o predicted.csv --out {out} # new rows with the best",
        "tlbench run -t csv:FILE.csv -b small -S probe # the same on your own data",
    ]


def test_a_row_that_a_test_of_the_two_alone_tells_apart_is_not_suggested(tmp_path):
    board = Board(*ROWS)
    board.rows(())[1]["p_best"] = 0.01
    lines = next_steps(board, plan(), Catalog(), tmp_path)
    assert not any("cheapest" in line or "bbbb" in line for line in lines)
    assert "-b big -S full" in lines[-1]


def test_without_ranks_only_the_best_score_is_named(tmp_path):
    rows = [(*row[:5], None, row[6]) for row in ROWS]
    lines = next_steps(Board(*rows), plan("csv:own.csv"), Catalog(), tmp_path)
    assert [" ".join(line.split("# ")[1:]) for line in lines] == [
        "the best on t: big | full, by its score alone",
        "new rows with the best",
    ]


def test_the_default_folder_is_not_named(monkeypatch, tmp_path):
    monkeypatch.setenv("TLBENCH_OUT", str(tmp_path))
    assert next_steps(Board(ROWS[0]), plan(), Catalog(), tmp_path)[0].startswith("tlbench show aaaa  ")


@pytest.mark.parametrize(
    ("task", "modality", "last"),
    [
        ("t", "image", ["tlbench run -t imagefolder:FOLDER -b big -S full # the same on your own data"]),
        ("csv:a.csv", "text", []),
        ("t", None, []),
    ],
)
def test_own_data_are_suggested_unless_they_were_just_tried(tmp_path, task, modality, last):
    lines = [" ".join(line.split()) for line in next_steps(Board(ROWS[0]), plan(task), Catalog(modality), tmp_path)]
    assert [line for line in lines if line.startswith("tlbench run")] == last


def test_many_tasks_and_none_at_all(tmp_path):
    rows = [(f"t{number}", f"cell{number}", "b", "s", "ok", 1, 1.0) for number in range(5)]
    lines = next_steps(Board(*rows), plan(), Catalog(), tmp_path)
    assert sum(line.startswith("tlbench show") for line in lines) == 3
    assert any("# the best on 2 more tasks" in line for line in lines)
    assert next_steps(Board(ROWS[3]), plan(), Catalog(), tmp_path) == []
