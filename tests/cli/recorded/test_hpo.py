"""`tlbench hpo`: the file of studies, and the program that shows it."""

import subprocess

import pytest

from tlbench.cli.recorded import hpo_command
from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.record import FitResult, Record
from tlbench.results.records.store import Store


@pytest.fixture
def out(tmp_path):
    cell = Cell(Ref("toy-tone"), Ref("toy-guess"), Protocol(trials=2), Ref("toy"))
    trials = tuple(
        FitResult({"guess": 0.25 + number / 2, "idle": 0.01}, 0, "search", number, "ok", validation=0.5 + number / 8)
        for number in (0, 1)
    )
    folder = tmp_path / "out"
    assert Store.create(folder).commit(Record(cell, "ok", metrics=("accuracy",), trials=trials), tmp_path)
    return folder


def test_writes_a_file_and_says_how_to_show_it(output_of, out, tmp_path):
    said = output_of("hpo", "--out", out, "--export", tmp_path / "studies")
    assert "1 studies in" in said
    assert "optuna-dashboard" in said
    assert b"toy | toy-tone | toy-guess" in (tmp_path / "studies").read_bytes()


def test_starts_the_dashboard_on_the_file(output_of, out, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(hpo_command, "_dashboard", lambda: "/bin/dashboard")
    monkeypatch.setattr(
        subprocess, "run", lambda command, check: calls.append(command) or subprocess.CompletedProcess(command, 0)
    )
    output_of("hpo", "--out", out, "--port", "8123")
    path = str(out / hpo_command.STUDIES)
    assert calls == [["/bin/dashboard", path, "--storage-class", "JournalFileStorage", "--port", "8123"]]


def test_says_what_to_install(output_of, out, monkeypatch):
    monkeypatch.setattr(hpo_command.sys, "executable", str(out / "python"))
    monkeypatch.setenv("PATH", str(out))
    assert "pip install 'tlbench[dashboard]'" in output_of("hpo", "--out", out, status=2)
    assert not (out / hpo_command.STUDIES).exists()


def test_a_folder_without_a_search(output_of, tmp_path):
    Store.create(tmp_path / "new")
    assert "no cell has a search yet" in output_of("hpo", "--out", tmp_path / "new", "--export", "x", status=2)
