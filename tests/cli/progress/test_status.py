"""`tlbench status`, during a run and after it."""

from __future__ import annotations

import json
import time

import msgspec
import pytest

from tlbench.cli.app import _main
from tlbench.contracts.cell import Cell, Plan, Protocol, Ref
from tlbench.contracts.record import Record, TestScore
from tlbench.results.records.store import Store
from tlbench.running.monitoring.run_status import write_status


@pytest.fixture
def store(tmp_path, status):
    """Results of a plan of five cells: one finished, one failed, one running, two waiting; and its run."""
    store = Store.create(tmp_path / "out")
    cells = tuple(Cell(Ref("t"), Ref(f"s{number}"), Protocol(), Ref("b")) for number in range(5))
    store.save_plan(Plan("reviews", cells, ()))
    scores = (TestScore("accuracy", 0, 0.75, 0.7, 0.8, 32),)
    assert store.commit(Record(cells[0], "ok", metrics=("accuracy",), scores=scores), tmp_path)
    assert store.commit(Record(cells[1], "failed", reason="no luck"), tmp_path)
    order = msgspec.structs.replace(status.orders[0], cell=cells[2].id)
    write_status(tmp_path / "out" / "work", msgspec.structs.replace(status, updated=time.time(), orders=(order,)))
    return store


def shown(store, capsys, *options):
    capsys.readouterr()
    assert _main(["status", "--out", str(store.root), *options]) == 0
    return capsys.readouterr().out


def test_it_says_what_a_run_does_and_where_its_log_is(store, capsys):
    lines = shown(store, capsys).splitlines()
    assert lines[0] == f"{store.root}: reviews, 5 cells: 1 finished, 1 failed, 1 running, 2 waiting"
    assert lines[1].startswith("run 0123abcd, ")
    assert ", about 1 min 35 s left, 2 workers, process " in lines[1]
    assert lines[2].startswith("  1  full-finetune  minilm-l6  trial 3/16  12 s  csv:")
    assert lines[3] == "log: /out/work/run.log; output of the workers: /out/work/workers.log"


def test_as_json_it_has_the_same(store, capsys):
    content = json.loads(shown(store, capsys, "--json"))
    assert content["suite"] == "reviews"
    assert content["cells"] == {"cells": 5, "finished": 1, "failed": 1, "running": 1, "waiting": 2}
    (run,) = content["runs"]
    assert (run["run"], run["alive"], run["is_rough"], run["seconds_left"]) == ("0123abcd", True, True, 95.0)
    assert run["orders"][0]["phase"] == "trial 3/16"
    assert run["log"] == "/out/work/run.log"


def test_a_run_that_was_killed_is_named_with_what_to_do(store, status, capsys):
    write_status(store.root / "work", msgspec.structs.replace(status, updated=time.time() - 7200))
    shown_lines = shown(store, capsys).splitlines()
    assert shown_lines[0].endswith("5 cells: 1 finished, 1 failed, 3 waiting")
    assert shown_lines[1].startswith("run 0123abcd stopped 2 h 00 min ago without ending (")
    assert "the same `tlbench run` does the rest; log: /out/work/run.log" in shown_lines[1]
    assert shown_lines[2] == "no run is going on: the same `tlbench run` as before does the rest"
    assert json.loads(shown(store, capsys, "--json"))["runs"][0]["alive"] is False


def test_without_results_it_is_one_line(tmp_path, capsys):
    assert _main(["status", "--out", str(tmp_path / "nothing")]) == 2
    assert "no results here yet" in capsys.readouterr().err


def test_a_hostile_status_file_reaches_no_terminal(store, status, capsys):
    hostile = msgspec.structs.replace(
        status, updated=time.time(), suite="x\x1b]0;owned\x07", log="a\nb", host="\x1b[2J"
    )
    write_status(store.root / "work", hostile)
    text = shown(store, capsys)
    assert "\x1b" not in text
    assert "\x07" not in text
