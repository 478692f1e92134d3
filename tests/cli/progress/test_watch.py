"""What a run prints while it goes on, by an injected clock, and the file that `tlbench status` reads."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from tlbench.api.run_reporter import LINE_SECONDS, STATUS_SECONDS, Reporter
from tlbench.cli.app import _main
from tlbench.cli.progress.run_texts import progress_line
from tlbench.modeling.disk import cache_settings
from tlbench.running.monitoring.run_status import read_statuses
from tlbench.running.run import FIT_TIMES

RUN = (
    "run", "-t", "toy-tone", "-b", "toy", "-S", "toy-fit", "-S", "toy-majority", "--no-baseline",
    "--executor", "inline", "--out",
)  # fmt: skip


class State:
    """The state of a run that does not change but for its clock."""

    def __init__(self, status):
        self.now, self._status, self.asked = status.began, status, 0

    def status(self):
        self.asked += 1
        return msgspec.structs.replace(self._status, updated=self.now)


@pytest.fixture
def ticked(status, tmp_path):
    """Returns a function that ticks at some seconds after the start, and returns the lines that were printed."""
    lines = []
    state = State(status)
    reporter = Reporter(state, tmp_path, status.began, lambda now: lines.append(progress_line(now)))

    def tick(*seconds):
        lines.clear()
        for second in seconds:
            state.now = status.began + second
            reporter.tick(state.now)
        return list(lines)

    tick.state = state
    return tick


def test_a_line_a_minute_says_where_each_cell_is(ticked):
    assert ticked(*range(int(LINE_SECONDS))) == []
    (line,) = ticked(60, 61, 119)
    assert line.startswith("1 min 00 s: 4 of 12 cells")
    assert "full-finetune trial 3/16" in line
    (line,) = ticked(120)
    assert line.startswith("2 min 00 s")
    # A machine that was suspended does not make up for the missed lines.
    assert len(ticked(3600, 3601, 3602)) == 1
    assert len(ticked(3660)) == 1


def test_the_status_file_is_written_every_few_seconds(ticked, status, tmp_path):
    ticked(0)
    assert read_statuses(tmp_path) == [msgspec.structs.replace(status, updated=status.began)]
    ticked(1)
    assert ticked.state.asked == 1
    ticked(STATUS_SECONDS)
    assert read_statuses(tmp_path)[0].updated == status.began + STATUS_SECONDS


def test_without_a_terminal_nothing_but_the_status_is_written_if_no_line_is_wanted(status, tmp_path):
    reporter = Reporter(State(status), tmp_path, status.began, None)
    reporter.tick(status.began + 3600)
    assert len(read_statuses(tmp_path)) == 1


@pytest.mark.usefixtures("tlbench_toys")
def test_a_run_ends_with_its_time_and_next_steps_and_leaves_a_log(tmp_path, capsys):
    out = tmp_path / "out"
    assert _main([*RUN, str(out)]) == 0
    shown = capsys.readouterr().out
    assert "[2/2]" in shown
    assert "2 of 2 cells, 2 of them in " in shown
    assert re.search(rf"tlbench show [0-9a-f]+ --out {out} +# the best on toy-tone: ", shown)
    assert re.search(rf"tlbench predict [0-9a-f]+ NEW\.csv -o predicted\.csv --out {out} +# ", shown)
    assert "tlbench run -t csv:FILE.csv -" in shown
    assert read_statuses(out / "work") == []
    log = (out / "work" / "run.log").read_text().splitlines()
    (run,) = {line.split("run=")[1][:8] for line in log}
    assert "2 of 2 cells to run, 1 workers" in log[0]
    assert any("toy | toy-tone | toy-fit: seed 1/1 on worker 1" in line for line in log)
    assert any(line.endswith("toy | toy-tone | toy-fit: ok") for line in log)
    # Each run has its own id.
    assert _main([*RUN, str(out), "--fresh", "all", "-v"]) == 0
    assert f"run={run}" not in (out / "work" / "run.log").read_text().splitlines()[-1]
    assert "INFO tlbench.running.dispatch: toy | toy-tone | toy-fit: seed 1/1" in capsys.readouterr().err


@pytest.mark.usefixtures("tlbench_toys")
def test_a_quiet_run_prints_its_leaderboard_and_no_progress(tmp_path, capsys):
    assert _main([*RUN, str(tmp_path / "out"), "-q"]) == 0
    captured = capsys.readouterr()
    assert "toy-majority" in captured.out
    assert "[2/2]" not in captured.out
    assert "tlbench show" not in captured.out
    assert not captured.err


@pytest.mark.usefixtures("tlbench_toys")
def test_times_of_fits_are_known_to_the_next_run(tmp_path):
    assert _main([*RUN, str(tmp_path / "out")]) == 0
    kept = json.loads((cache_settings.folder() / FIT_TIMES).read_bytes())["fits"]
    assert {(kind[0], kind[4]) for kind, _ in kept} >= {("toy-fit", "final"), ("toy-majority", "final")}
