"""The nightly job, rehearsed with toys: three nights, the second with a planted regression and planted noise."""

import contextlib
import io
import shutil

import pytest

from tlbench.cli.app import _main
from tools.nightly.nights import Finding, last_good, open_night, prune, read_nights
from tools.nightly.rehearsal.rehearse import QUICK, rehearse


def in_this_process(arguments):
    """Runs tlbench without a new process; fits too."""
    more = ["--executor", "inline"] if arguments[0] == "run" else []
    with contextlib.redirect_stdout(io.StringIO()) as out:
        status = _main([*(word for word in arguments if word not in ("--jobs", "2")), *more])
    return status, out.getvalue()


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rehearsal")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = rehearse(folder, QUICK, in_this_process)
    return folder, status, out.getvalue()


def test_it_finds_the_planted_regression_and_not_the_noise(rehearsed):
    folder, status, said = rehearsed
    assert status == 0, said
    assert [night.finding.verdict for night in read_nights(folder / "nights")] == ["first", "regression", "passed"]


def test_the_history_has_a_point_for_each_row_and_night(rehearsed):
    folder, _, _ = rehearsed
    chart = (folder / "site" / "history.svg").read_text()
    assert chart.count("<circle") == 3 * 3
    for commit in ("aaaaaaa", "bbbbbbb", "ccccccc"):
        assert f">{commit}<" in chart
    assert chart in (folder / "site" / "index.html").read_text()


def test_a_night_that_misses_the_regression_is_reported(rehearsed, tmp_path, monkeypatch, capsys):
    folder, _, _ = rehearsed
    # The pages of the third night, which passed, in place of the second's.
    shutil.copytree(folder / "site", tmp_path / "site")
    shutil.copytree(folder / "nights", tmp_path / "nights")
    monkeypatch.setattr("tools.nightly.rehearsal.rehearse.hold", lambda job, commit, call: 0)
    assert rehearse(tmp_path, QUICK, in_this_process) == 1
    said = capsys.readouterr().out
    assert "bbbbbbbbbbbb: the exit status is 0 and not 1" in said
    assert "does not show the planted regression" in said


def test_a_night_after_a_regression_is_compared_with_the_one_before_it(tmp_path):
    verdicts = ["first", "passed", "regression", "unfinished"]
    for number, verdict in enumerate(verdicts):
        open_night(tmp_path, f"{number}" * 8).found(Finding(verdict))
    nights = read_nights(tmp_path)
    now = open_night(tmp_path, "f" * 8)
    assert last_good(nights, now).commit == "1" * 8
    assert last_good(nights, nights[0]) is None


def test_the_same_commit_goes_on_with_its_night_and_old_nights_are_removed(tmp_path):
    for commit in ("a" * 8, "b" * 8, "c" * 8):
        open_night(tmp_path, commit)
    assert open_night(tmp_path, "c" * 8).number == 3
    read_nights(tmp_path)[0].found(Finding("passed"))
    prune(read_nights(tmp_path), keep=1)
    # The last good night stays, however old it is.
    assert [night.number for night in read_nights(tmp_path)] == [1, 3]
