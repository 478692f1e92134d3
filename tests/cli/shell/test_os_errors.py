"""Errors of the system are one line that says which file, what is wrong, and what to do; nothing half-written stays."""

import errno
import os
from pathlib import Path

import pytest

from tests.results.conftest import answers, cell
from tests.results.stored import committed
from tlbench.cli.app import _main
from tlbench.cli.shell.os_errors import line_of
from tlbench.running.monitoring.run_status import RunStatus, write_status


@pytest.fixture
def board(tmp_path):
    committed(tmp_path / "out", [(cell(), answers(n=40))])
    return tmp_path / "out"


@pytest.fixture
def full_disk(monkeypatch):
    def write(handle, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", write)


def one_line(capsys):
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    assert "Errno" not in said
    return said


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.EACCES, "Permission denied", "/a"), "/a: permission denied: give yourself the right"),
        (OSError(errno.EROFS, "Read-only file system", "/a"), "/a: read-only file system: make the disk writable"),
        (OSError(errno.ENOSPC, "No space left on device"), "no space left on device: free some space"),
        (OSError(errno.EXDEV, "Invalid cross-device link", "/a", None, "/b"), "/a: /b: invalid cross-device link"),
        (OSError("what a library says"), "OSError: what a library says"),
    ],
)  # fmt: skip
def test_an_error_is_a_line(error, line):
    assert line_of(error).startswith(line)


def test_a_text_that_is_no_utf_8():
    with pytest.raises(UnicodeDecodeError) as caught:
        b"\xff".decode()
    assert "no UTF-8" in line_of(caught.value)


def test_a_table_on_a_full_disk(board, tmp_path, full_disk, capsys):
    assert _main(["leaderboard", "--out", str(board), "-o", str(tmp_path / "board.md")]) == 2
    assert one_line(capsys) == (
        f"tlbench: {tmp_path}/board.md: no space left on device: free some space, and run the command again\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_table_in_a_folder_that_is_not_writable(board, tmp_path, monkeypatch, capsys):
    original = os.open

    def refused(path, *more, **options):
        if str(path).endswith(".tmp"):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return original(path, *more, **options)

    monkeypatch.setattr(os, "open", refused)
    assert _main(["leaderboard", "--out", str(board), "-o", str(tmp_path / "board.md")]) == 2
    # The file that was asked for is named, and not the temporary one beside it.
    assert one_line(capsys).startswith(f"tlbench: {tmp_path}/board.md: permission denied: give yourself the right")


def test_a_pipe_in_place_of_a_log(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    run = ["run", "-t", "toy-tone", "-b", "toy", "-S", "toy-fit", "--seeds", "1", "--no-baseline", "-q"]
    run += ["--out", str(tmp_path / "out")]
    assert _main([*run, "--executor", "inline"]) == 0
    log = tmp_path / "out" / "work" / "workers.log"
    os.mkfifo(log)
    capsys.readouterr()
    assert _main([*run, "--fresh", "all"]) == 2
    assert one_line(capsys) == f"tlbench: {log}: it is not a regular file: remove it, or name another place\n"


def test_a_full_disk_leaves_no_half_written_status(tmp_path, monkeypatch):
    status = RunStatus("0123abcd", "toys", 1, "here", 0.0, 0.0, 1, 0, 0, 1)

    def write(path, content):
        with path.open("wb") as file:
            file.write(content[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", write)
    write_status(tmp_path, status)
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    write_status(tmp_path, status)
    assert [path.name for path in tmp_path.iterdir()] == ["running-0123abcd.json"]


def test_a_damaged_plan_is_told_without_the_name_of_a_module(board, capsys):
    (board / "plan.json").write_text("{")
    _main(["leaderboard", "--out", str(board)])
    said = capsys.readouterr().err
    assert f"tlbench: {board}/plan.json is damaged and counts as missing" in said
    assert "sealed_files" not in said
    assert "WARNING" not in said
