"""Completion of names at the prompt, as bash, zsh and fish call it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tlbench.cli.app import _main
from tlbench.testing.conformance.every_plugin import HEAVY

pytestmark = pytest.mark.usefixtures("zoo")


@pytest.fixture
def completed(monkeypatch, capsys):
    """Returns a function that completes the last of some words, as a shell would."""

    def call(*words, shell="bash"):
        line = ["tlbench", *map(str, words)]
        monkeypatch.setenv("_TLBENCH_COMPLETE", f"complete_{shell}")
        monkeypatch.setenv("COMP_WORDS", "\n".join(line))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", " ".join(line))
        monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        capsys.readouterr()
        with pytest.raises(SystemExit):
            _main([])
        captured = capsys.readouterr()
        assert not captured.err
        return [line for line in captured.out.split("\n") if line]

    return call


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("run", "-b", "small"), ["small-bert"]),
        (("run", "--suite", "x", "-b", "+small"), ["+small-bert"]),
        (("run", "-b", "toy", "-t", "zoo-"), ["zoo-many", "zoo-tags"]),
        (("plan", "--task", "toy-to"), ["toy-tone"]),
        (("run", "-S", "zoo"), ["zoo-tune"]),
        (("run", "--executor", "in"), ["inline"]),
        (("leaderboard", "-f", "ma"), ["markdown"]),
        (("list", "tasks", "--kind", "token"), ["token-classes"]),
        (("show", "lit"), ["little-net"]),
        (("show", "zoo-t"), ["zoo-tags", "zoo-tune"]),
        (("show", "zoo-tune", "-b", "larg"), ["large-bert"]),
        (("check", "zoo-m"), ["zoo-many"]),
        (("fetch", "-b", "uns"), ["unsized"]),
        (("run", "--log-level", "w"), ["warning"]),
        (("run", "-b", "no-such"), []),
        (("show", "0"), []),
    ],
    ids=" ".join,
)
def test_names_are_completed(completed, words, expected):
    found = completed(*words)
    # Installed plugins may have more names of the same beginning.
    assert set(expected) <= set(found)
    assert all(name.startswith(words[-1]) for name in found)
    assert bool(found) == bool(expected)


@pytest.mark.parametrize(
    ("shell", "expected"),
    [("bash", "small-bert"), ("zsh", """_arguments '*: :(("small-bert"))\'"""), ("fish", "small-bert")],
)
def test_each_shell_gets_its_own_form(completed, shell, expected):
    assert completed("run", "-b", "small", shell=shell) == [expected]


def test_files_of_suites_and_own_data_are_completed(completed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    for name in ("own/reviews.csv", "own/suite.toml", "own/.hidden"):
        (tmp_path / name).write_text("")
    assert completed("run", "-s", "own/") == ["own/suite.toml"]
    assert completed("run", "-t", "csv:own/", shell="fish") == ["csv:own/reviews.csv", "csv:own/suite.toml"]
    assert completed("run", "-t", "csv:ow", shell="fish") == ["csv:own/"]
    assert completed("run", "-t", "csv:nowhere/", shell="fish") == []


def test_the_ids_of_recorded_cells_are_completed_with_their_titles(completed, finished, tmp_path):
    from tlbench.contracts.cell import Plan
    from tlbench.results.records.store import Store

    out = tmp_path / "out"
    Store.open(out).save_plan(Plan("s", (finished,), ()))
    assert completed("show", "--out", out, finished.id[:3]) == [finished.id]
    assert completed("show", "-o", out, finished.id[:3], shell="fish") == [f"{finished.id}\ttoy | toy-tone | toy-fit"]
    assert completed("show", "--out", tmp_path / "nothing", finished.id[:3]) == []


def test_a_broken_or_talkative_plugin_is_not_heard(completed, tmp_path, monkeypatch):
    (tmp_path / "talks.py").write_text("import sys; print('hello'); print('hello', file=sys.stderr); 1 / 0")
    monkeypatch.setenv("TLBENCH_PLUGINS", f"{os.environ['TLBENCH_PLUGINS']},talks")
    assert completed("run", "-b", "small") == ["small-bert"]


def test_completing_imports_nothing_heavy(finished, tmp_path):
    code = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print('heavy:', sorted({set(HEAVY)!r} & set(sys.modules)), file=sys.stderr))\n"
        "from tlbench.cli.app import _main\n"
        "_main([])"
    )
    words = ["tlbench", "show", "--out", str(tmp_path / "out"), finished.id[:2]]
    environment = {"_TLBENCH_COMPLETE": "complete_bash", "COMP_WORDS": "\n".join(words), "COMP_CWORD": "4"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    assert done.stdout == f"{finished.id}\n"
    assert done.stderr == "heavy: []\n"
