"""The live view: how long the rest takes, and what a line says."""

import msgspec
import pytest

from tlbench.cli.live import Estimate, duration, line
from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.record import Record, Seconds, TestScore
from tlbench.running.cells.attempt import Attempt


def cell(task, strategy):
    return Cell(Ref(task), Ref(strategy), Protocol(), Ref("b"))


def record(task, strategy, seconds):
    scores = (TestScore("accuracy", 0, 0.75, 0.7, 0.8, 32),)
    seconds = Seconds(total=seconds)
    return Record(cell(task, strategy), "ok", metrics=("accuracy",), scores=scores, seconds=seconds)


def test_the_rest_takes_what_cells_of_the_same_strategy_took():
    attempts = [Attempt(cell(task, strategy), "work") for task in "xyz" for strategy in ("fast", "slow")]
    estimate = Estimate(attempts, jobs=2)
    assert estimate.seconds_left() is None
    estimate.add(record("x", "fast", 1.0))
    assert estimate.seconds_left() == pytest.approx(5 * 1.0 / 2)
    estimate.add(record("x", "slow", 9.0))
    assert estimate.seconds_left() == pytest.approx((2 * 1.0 + 2 * 9.0) / 2)
    assert estimate.seconds_left([4.0]) == pytest.approx((2 * 1.0 + 2 * 9.0 - 4.0) / 2)
    # One that has long been at it says nothing of the others.
    assert estimate.seconds_left([500.0]) == pytest.approx((2 * 1.0 + 2 * 9.0) / 2)


def test_a_line_says_what_came_of_a_cell():
    assert line(record("x", "fast", 3.14), 2, 10) == "[ 2/10] b | x | fast  accuracy 0.750  3.1 s"
    failed = msgspec.structs.replace(record("x", "fast", 1.0), status="failed", reason="no\x1b[31m luck", scores=())
    assert line(failed, 10, 10) == "[10/10] b | x | fast  failed: no luck"


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.21, "3.2 s"), (59.4, "59 s"), (245, "4 min 05 s"), (7620, "2 h 07 min")]
)
def test_durations_are_for_people(seconds, text):
    assert duration(seconds) == text
