"""The texts about a run in progress."""

from __future__ import annotations

import msgspec
import pytest

from tlbench.cli.progress.run_texts import order_rows, progress_line, record_line
from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.record import Record, Seconds, TestScore
from tlbench.running.monitoring.time_texts import duration, left_text


def record(task, strategy, seconds):
    scores = (TestScore("accuracy", 0, 0.75, 0.7, 0.8, 32),)
    cell = Cell(Ref(task), Ref(strategy), Protocol(), Ref("b"))
    return Record(cell, "ok", metrics=("accuracy",), scores=scores, seconds=Seconds(total=seconds))


def test_a_line_says_what_came_of_a_cell():
    assert record_line(record("x", "fast", 3.14), 2, 10) == "[ 2/10] b | x | fast  accuracy 0.750  3.1 s"
    failed = msgspec.structs.replace(record("x", "fast", 1.0), status="failed", reason="no\x1b[31m luck", scores=())
    assert record_line(failed, 10, 10) == "[10/10] b | x | fast  failed: no luck"


def test_a_line_says_which_trial_each_cell_is_at(status):
    line = progress_line(status)
    assert line.startswith("2 min 10 s: 4 of 12 cells, about 1 min 35 s left; minilm-l6 | csv:")
    assert "[label=stars] | full-finetune trial 3/16 (12 s); minilm-l6 | csv:" in line
    assert line.endswith("[label=topic] | full-finetune seed 1/3 (3.0 s)")
    many = msgspec.structs.replace(status, orders=status.orders * 4, seconds_left=None)
    assert progress_line(many).startswith("2 min 10 s: 4 of 12 cells; ")
    assert progress_line(many).endswith("; and 2 more")
    assert progress_line(msgspec.structs.replace(status, orders=())).endswith("left; starting the workers")


@pytest.mark.parametrize("width", [80, 100, 160, None])
def test_workers_on_one_file_are_told_apart_at_any_width(status, width):
    rows = order_rows(status, width)
    assert len(rows) == 2
    assert rows[0].startswith("1  full-finetune  minilm-l6  trial 3/16  12 s   csv:")
    assert rows[1].startswith("2  full-finetune  minilm-l6  seed 1/3    3.0 s  csv:")
    if width is None or width == 160:
        assert rows[0].endswith("/reviews-of-2026.csv[label=stars]")
    else:
        assert max(map(len, rows)) + 2 <= width
        assert (rows[0][-7:], rows[1][-7:]) == ("=stars]", "=topic]")


def test_names_show_no_control_characters(status):
    hostile = msgspec.structs.replace(status.orders[0], task="x\x1b[31my\nz", strategy="a\tb")
    hostile_status = msgspec.structs.replace(status, orders=(hostile,))
    for text in (progress_line(hostile_status), *order_rows(hostile_status, 80), *order_rows(hostile_status, None)):
        assert text.isprintable()


@pytest.mark.parametrize(
    ("seconds", "is_rough", "text"),
    [
        (None, True, ""), (95.4, True, "about 1 min 35 s left"), (95.4, False, "1 min 35 s left"),
        (4.6, False, "5 s left"), (0.4, True, "almost done"), (7620, True, "about 2 h 07 min left"),
    ],
)  # fmt: skip
def test_the_time_left_says_whether_it_is_rough(status, seconds, is_rough, text):
    assert left_text(msgspec.structs.replace(status, seconds_left=seconds, is_rough=is_rough)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.21, "3.2 s"), (59.4, "59 s"), (59.7, "1 min 00 s"), (245, "4 min 05 s"), (7620, "2 h 07 min")],
)
def test_durations_are_for_people(seconds, text):
    assert duration(seconds) == text
