"""`tlbench fetch`: brings what is not there, leaves what is, and goes on after a failure."""

from __future__ import annotations

import json
import sys

import pytest

from tlbench.cli.app import _main

PLUGIN = """
from dataclasses import dataclass
from pathlib import Path
from tlbench import *

FOLDER = Path({folder!r})

def bring(name):
    if name.startswith("absent"):
        raise UsageError(f"{{name}}: the server says no")
    if name.startswith("buggy"):
        raise KeyError(name)
    if not name.startswith("empty"):
        (FOLDER / name).touch(exist_ok=False)

@dataclass(frozen=True)
class Remote(Backbone):
    name: str
    modality = "text"

    def card(self):
        return Card(on_disk=(FOLDER / self.name).exists())

    def fetch(self):
        bring(self.name)

@dataclass(frozen=True)
class Far(Task):
    name: str
    modality = "text"
    output = Classes(("no", "yes"))
    metrics = ("accuracy",)

    def missing(self):
        return None if (FOLDER / self.name).exists() else f"{{self.name}} is not here"

    def fetch(self):
        bring(self.name)

class Teacher(Strategy):
    name = "taught"

    def needs(self):
        return ("backbone:teacher", "task:lesson")

@hookimpl
def tlbench_backbones():
    return [Remote(name) for name in ("near", "teacher", "absent-net", "buggy-net", "empty-net")]

@hookimpl
def tlbench_tasks():
    return [Far(name) for name in ("far", "lesson", "absent-data", "empty-data")]

@hookimpl
def tlbench_strategies():
    return [Teacher()]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "brought"
    folder.mkdir()
    (tmp_path / "far_away.py").write_text(PLUGIN.format(folder=str(folder)))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "far_away", raising=False)
    monkeypatch.setenv("TLBENCH_PLUGINS", "far_away")
    return folder


@pytest.fixture
def suite(tmp_path):
    path = tmp_path / "far.toml"
    path.write_text('[[cells]]\ntasks = ["far"]\nbackbones = ["near"]\nstrategies = ["taught"]\n')
    return path


def fetch(capsys, *arguments):
    status = _main(["fetch", *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out.splitlines(), captured.err


def test_a_suite_s_weights_and_data_are_brought_with_what_its_strategies_need(suite, folder, capsys):
    (folder / "near").touch()
    status, lines, _ = fetch(capsys, "--suite", suite)
    assert status == 0
    assert lines == ["near: on disk", "teacher: fetched", "far: fetched", "lesson: fetched"]
    assert {path.name for path in folder.iterdir()} == {"near", "teacher", "far", "lesson"}


def test_what_is_on_disk_is_not_fetched_again(suite, folder, capsys):
    fetch(capsys, "--suite", suite)
    status, lines, _ = fetch(capsys, "--suite", suite)
    assert status == 0
    assert all(line.endswith(": on disk") for line in lines)


def test_a_failed_download_does_not_stop_the_others(folder, capsys):
    status, lines, error = fetch(
        capsys, "-b", "absent-net", "-b", "buggy-net", "-b", "empty-net", "-b", "near", "-t", "empty-data", "-t", "far"
    )
    assert status == 2
    assert lines == [
        "absent-net: failed: absent-net: the server says no",
        "buggy-net: failed: KeyError: 'buggy-net'",
        "empty-net: failed: its plugin fetched nothing",
        "near: fetched",
        "empty-data: failed: empty-data is not here",
        "far: fetched",
    ]
    assert error == "tlbench: 4 of 6 could not be fetched: absent-net, buggy-net, empty-net, empty-data\n"


def test_an_unknown_name_is_refused_before_anything_is_fetched(folder, capsys):
    status, lines, error = fetch(capsys, "-b", "near", "-t", "nowhere")
    assert (status, lines) == (2, [])
    assert "unknown task 'nowhere'" in error
    assert not list(folder.iterdir())


def test_a_name_twice_is_fetched_once(suite, folder, capsys):
    assert fetch(capsys, "--suite", suite, "-b", "near", "-t", "far")[1].count("near: fetched") == 1


def test_no_option_at_all_is_one_line(capsys):
    status, _, error = fetch(capsys)
    assert status == 2
    assert error == "tlbench: nothing to fetch: give --suite NAME, --backbone NAME or --task NAME\n"


def test_an_interruption_keeps_what_was_fetched(folder, capsys, monkeypatch):
    import tlbench.cli.fetching.fetch as fetching

    fetch_one = fetching._fetch_one
    # Ctrl-C during the second download.
    monkeypatch.setattr(
        fetching, "_fetch_one", lambda item, name: fetch_one(item, name) if name == "near" else _interrupt()
    )
    status, lines, error = fetch(capsys, "-b", "near", "-b", "teacher")
    assert (status, lines) == (130, ["near: fetched"])
    assert "what was fetched is kept" in error
    assert (folder / "near").exists()


def test_an_interruption_keeps_json_whole(folder, capsys, monkeypatch):
    import tlbench.cli.fetching.fetch as fetching

    fetch_one = fetching._fetch_one
    stopped = lambda item, name: fetch_one(item, name) if name == "near" else _interrupt()  # noqa: E731
    monkeypatch.setattr(fetching, "_fetch_one", stopped)
    status, lines, _ = fetch(capsys, "-b", "near", "-b", "teacher", "--json")
    assert status == 130
    assert json.loads("".join(lines))["fetched"] == [{"name": "near", "outcome": "fetched", "reason": ""}]


def test_failures_are_in_the_json_and_an_unknown_name_prints_none(folder, capsys):
    status, lines, error = fetch(capsys, "-b", "near", "-b", "buggy-net", "--json")
    assert status == 2
    assert json.loads("".join(lines))["fetched"][1] == {
        "name": "buggy-net", "outcome": "failed", "reason": "KeyError: 'buggy-net'",
    }  # fmt: skip
    assert "1 of 2 could not be fetched" in error
    assert fetch(capsys, "-b", "near", "-t", "nowhere", "--json")[:2] == (2, [])


def _interrupt():
    raise KeyboardInterrupt


def test_needs_that_are_none_are_one_line_that_names_the_strategy(suite, capsys):
    text = PLUGIN.replace('return ("backbone:teacher", "task:lesson")', 'return "backbone:teacher"')
    (suite.parent / "far_away.py").write_text(text.format(folder=str(suite.parent)))
    status, lines, error = fetch(capsys, "--suite", suite)
    assert (status, lines) == (2, [])
    assert error.startswith("tlbench: taught: needs() returned 'backbone:teacher', not a tuple such as")
