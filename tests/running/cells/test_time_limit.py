"""The time limit of a cell: the search leaves time for the final fits, and the best trial so far wins."""

from types import SimpleNamespace

import msgspec
import pytest

from tlbench.contracts.executor import OrderResult
from tlbench.contracts.record import FitResult, Record, TestScore
from tlbench.running.cells.attempt import Attempt, OrderDefaults
from tlbench.running.cells.related_cells import has_more_time
from tlbench.running.cells.search_time import MARGIN, final_seconds, next_seconds
from tlbench.running.open_cell import open_cell


def fit(trial, seconds, status="ok", **more):
    return FitResult({}, 0, "search", trial, status, fit_seconds=seconds, **more)


def test_final_fits_are_expected_to_take_as_long_as_the_longest_trial():
    trials = [fit(0, 2.0, encode_paid_seconds=7.0), fit(1, 3.0, validate_seconds=1.0), fit(2, 90.0, "failed")]
    assert final_seconds(trials, 5, elapsed=0.0) == MARGIN * (5 * 4.0 + 7.0)
    assert final_seconds(trials, 5, elapsed=103.0 + 6.0) == MARGIN * (5 * (4.0 + 2.0) + 7.0)
    assert next_seconds(trials) == 2.0


def test_without_a_trial_with_a_score_nothing_is_expected():
    assert final_seconds([fit(0, 9.0, "diverged")], 5, elapsed=20.0) == next_seconds([]) == 0.0


@pytest.fixture
def clocked(runs, monkeypatch):
    """Opens a cell of ten trials and two seeds whose orders take as long as a test says, by a clock of its own."""
    now = [0.0]
    monkeypatch.setattr(
        "tlbench.running.cells.orders_in_flight.time", SimpleNamespace(monotonic=lambda: now[0], time=lambda: 0.0)
    )
    # Other processes' time is that of files, which these tests don't control.
    monkeypatch.setattr("tlbench.running.cells.cell_folder.CellFolder.seconds_spent", lambda self: 0.0)
    (planned,) = runs.plan(["toy-tune"], trials=10, seeds=2, max_seconds=100.0, lag=8).cells

    def open_run():
        attempt = Attempt(planned, str(runs.store.work(planned.id, 1).resolve()))
        return open_cell(attempt, runs.catalog, OrderDefaults())

    def wait(seconds):
        now[0] += seconds

    return SimpleNamespace(open=open_run, wait=wait, cell=planned)


def begin(run):
    order = run.next_order()
    run.start_clock(order)
    return order


def result(order, seconds, status="ok"):
    if order.purpose == "score":
        return OrderResult(scores=(TestScore("accuracy", 0, 0.5, 0.4, 0.6, 32),))
    made = [
        FitResult(
            one.params,
            one.seed,
            order.purpose,
            one.trial,
            status,
            validation=0.5 + one.trial / 100,
            fit_seconds=seconds,
        )
        for one in order.fits
    ]
    return OrderResult(tuple(made))


def carry_out(clocked, run, seconds, status="ok"):
    """Carries out orders one after the other until the cell has its record; returns the purposes of the orders."""
    purposes = []
    while run.record is None:
        order = begin(run)
        purposes.append(order.purpose)
        clocked.wait(1.0 if order.purpose == "score" else seconds)
        if run.seconds_left(order.purpose) <= 0:
            run.run_out_of_time(order)
        else:
            run.tell(order, result(order, seconds, status))
    return purposes


def test_the_search_ends_while_there_is_time_for_the_final_fits(clocked):
    run = clocked.open()
    # After 70 of 100 seconds there is no time for another trial, two final fits and the margin.
    assert carry_out(clocked, run, 10.0) == ["search"] * 7 + ["final"] * 2 + ["score"]
    record = run.record
    assert (record.status, len(record.trials), record.trials_planned) == ("ok", 7, 10)
    assert record.best_params == record.trials[-1].params
    assert record.reason == "stopped after 7 of 10 trials (max_seconds 100)"
    assert not record.ended_early  # the limit ended it, although the space has more settings


def test_a_search_that_is_done_in_time_is_whole(clocked):
    run = clocked.open()
    carry_out(clocked, run, 5.0)
    assert (run.record.status, run.record.trials_planned, run.record.reason) == ("ok", None, "")


def test_without_a_score_the_cell_times_out(clocked):
    run = clocked.open()
    assert set(carry_out(clocked, run, 30.0, status="failed")) == {"search"}
    assert (run.record.status, len(run.record.trials)) == ("timeout", 3)
    assert run.record.reason == "stopped after 100 s (max_seconds)"


def test_final_fits_beyond_the_limit_time_out(clocked):
    run = clocked.open()
    order = begin(run)
    clocked.wait(60.0)
    run.tell(order, result(order, 10.0))
    order = begin(run)
    assert order.purpose == "final"
    clocked.wait(40.0)
    run.run_out_of_time(order)
    assert run.record.status == "timeout"


def test_a_trial_that_runs_when_the_search_ends_is_dropped(clocked):
    run = clocked.open()
    first, second, third = begin(run), begin(run), begin(run)
    clocked.wait(20.0)
    assert run.seconds_left("search") == 80.0
    run.tell(first, result(first, 20.0))
    # Two final fits of 20 seconds and the margin are kept free.
    assert run.seconds_left("search") == 80.0 - MARGIN * 40.0 == 30.0
    clocked.wait(30.0)
    run.run_out_of_time(second)
    # It may have ended just before it was cancelled.
    run.tell(third, result(third, 60.0))
    final = begin(run)
    assert (final.purpose, final.fits[0].params) == ("final", first.fits[0].params)
    assert run.seconds_left("search") == 0.0
    assert run.seconds_left("final") == 50.0


def test_the_winner_of_a_stopped_search_outlives_a_kill(clocked):
    run = clocked.open()
    for _ in range(7):
        order = begin(run)
        clocked.wait(10.0)
        run.tell(order, result(order, 10.0))
    assert begin(run).purpose == "final"
    run.close()
    again = clocked.open()
    assert carry_out(clocked, again, 10.0) == ["final"] * 2 + ["score"]
    assert again.record.trials_planned == 10


@pytest.mark.parametrize(
    ("status", "planned", "limit", "repeated"),
    [
        ("ok", 10, 200.0, True),
        ("ok", 10, None, True),
        ("ok", 10, 100.0, False),
        ("ok", None, 200.0, False),
        ("timeout", None, 200.0, True),
        ("failed", None, None, False),
    ],
)
def test_a_longer_limit_continues_what_a_shorter_one_stopped(clocked, status, planned, limit, repeated):
    record = Record(clocked.cell, status, trials_planned=planned)
    protocol = msgspec.structs.replace(clocked.cell.protocol, max_seconds=limit)
    cell = msgspec.structs.replace(clocked.cell, protocol=protocol)
    assert cell.id == clocked.cell.id
    assert has_more_time(record, cell) is repeated
