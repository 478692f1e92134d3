"""Where the output of commands goes: files, pipes, paths with a tilde; and how a signal ends them."""

import os
import signal
import sys

import pytest

from tlbench.cli.app import _main
from tlbench.system.stop_signals import Stopped

RUN = ["run", "-t", "toy-tone", "-S", "toy-majority", "--executor", "inline", "--device", "cpu", "--out"]


@pytest.fixture(autouse=True)
def toys(monkeypatch, tmp_path):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    monkeypatch.chdir(tmp_path)


def tlbench(*arguments):
    return _main([str(argument) for argument in arguments])


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_that_ends_a_run_says_that_nothing_is_lost(monkeypatch, capsys, number, status):
    def stopped(*args, **kwargs):
        raise Stopped(number)

    monkeypatch.setattr("tlbench.cli.run.run_plan", stopped)
    assert tlbench(*RUN, "out") == status
    assert "nothing finished is lost" in capsys.readouterr().err


def test_the_help_lists_the_exit_statuses(capsys):
    assert tlbench("--help") == 0
    shown = " ".join(capsys.readouterr().out.split())
    for status in ("0 success", "1 a cell has no score", "2 a mistake", "130 Ctrl-C", "143 SIGTERM", "129 SIGHUP"):
        assert status in shown


@pytest.mark.parametrize("command", [("list", "tasks"), ("show", "toy-tone")])
def test_a_closed_pipe_is_exit_status_141(monkeypatch, command):
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", sys.stderr)  # click wraps both
        assert tlbench(*command) == 141


def test_files_are_written_in_the_formats_of_their_suffixes_and_a_tilde_is_the_home_folder(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tlbench(*RUN, "~/out") == 0
    assert (tmp_path / "out" / "plan.json").is_file()
    capsys.readouterr()
    names = ("A.csv", "B.md", "c.JSON")
    assert tlbench("leaderboard", "-o", "~/out", "-o", "A.csv", "-o", "~/B.md", "-o", tmp_path / "c.JSON") == 0
    assert capsys.readouterr().out == f"A.csv: written\n{tmp_path}/B.md: written\n{tmp_path}/c.JSON: written\n"
    monkeypatch.setenv("TLBENCH_OUT", "~/out")
    for name, format_ in zip(names, ("csv", "markdown", "json"), strict=True):
        assert tlbench("leaderboard", "--format", format_) == 0
        assert (tmp_path / name).read_text() == capsys.readouterr().out
    (tmp_path / "toys.toml").write_text('[[cells]]\ntasks = ["toy-tone"]\nstrategies = ["toy-majority"]\n')
    assert tlbench("plan", "--suite", "~/toys.toml", "--data-root", "~") == 0
    assert "1 cell, 1 done" in capsys.readouterr().out
    assert tlbench("leaderboard", "--out", "~nobody-here/out") == 2
    assert "~nobody-here/out: no such home folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-oA.xyz"], "--out A.xyz: neither a folder of results nor a file of a known format (.csv, .json, .md, .svg,"),
        (["-oone", "-otwo"], "--out: one and two are two folders of results: give one"),
        (["-ohere", "-ohere/plan.json"], "this folder has the results themselves"),
        (["-ohere", "-ohere/records/A.csv"], "this folder has the results themselves"),
        (["-onowhere/A.csv"], "--out nowhere/A.csv: there is no folder nowhere"),
        (["-oA.md", "--format", "csv"], "--format csv and the suffix of --out A.md both choose a format"),
    ],
)
def test_files_that_cannot_be_written_are_one_line(tmp_path, capsys, arguments, message):
    (tmp_path / "here" / "records").mkdir(parents=True)
    assert tlbench("leaderboard", *arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
