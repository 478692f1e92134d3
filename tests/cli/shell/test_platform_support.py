"""Windows and macOS, as far as they can be imitated: modules and flags that they lack, and the line about Windows."""

import os
import subprocess
import sys

import pytest

from tests.results.conftest import answers, cell
from tests.results.stored import committed
from tlbench.cli.app import app
from tlbench.cli.shell.platform_support import READING, refusal

LACKING = """
import os, signal, sys
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOFOLLOW", "sched_getaffinity", "sysconf"):
    delattr(os, name)
for name in ("SIGHUP", "SIGKILL"):
    delattr(signal, name)
from tlbench.cli import main
main()
"""


@pytest.fixture
def lacking(tmp_path):
    """Runs a command in a process without what POSIX alone has."""

    def run(*arguments):
        environment = {**os.environ, "TLBENCH_PLUGINS": "tlbench.testing.toy_plugin"}
        command = [sys.executable, "-c", LACKING, *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)

    return run


def test_what_reads_results_needs_nothing_that_windows_lacks(lacking, tmp_path):
    committed(tmp_path / "out", [(cell(), answers())])
    for command in (
        ("--help",),
        ("list", "strategies"),
        ("plan", "-t", "toy-tone", "-b", "toy", "-S", "toy-fit"),
        ("leaderboard", "--all", "--out", "out", "-f", "csv"),
        ("show", cell().id, "--out", "out"),
        ("submit", "--out", "out", "--to", "sent.zip"),
    ):
        done = lacking(*command)
        assert done.returncode == 0, (command, done.stderr)


def test_a_run_without_locks_says_so_in_one_line(lacking):
    done = lacking("run", "-t", "toy-tone", "-b", "toy", "-S", "toy-fit", "--executor", "inline", "--out", "out")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("tlbench: this system has no locks of files")


def test_windows_names_what_works():
    assert "WSL 2" in refusal(["run", "--suite", "glue-lite"], "win32")
    assert "leaderboard" in refusal(["find", "trec"], "win32")
    for allowed in (["list"], ["leaderboard", "--all"], ["--help"], ["--version"], ["run", "--help"], []):
        assert refusal(allowed, "win32") == ""
    for platform in ("linux", "darwin"):
        assert refusal(["run"], platform) == ""
    commands = {command.name or command.callback.__name__.strip("_") for command in app.registered_commands}
    assert set(READING) <= commands
