"""The estimate of the time left of a run, on simulated schedules whose end is known."""

from __future__ import annotations

import itertools

import pytest

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.executor import Fit, FitOrder
from tlbench.running.monitoring.fit_times import FitTimes, fit_kind
from tlbench.running.monitoring.order_progress import OrderProgress
from tlbench.running.monitoring.time_left import TimeLeft

PLACE = "cpu:1"
SECONDS = {"full": 7.0, "probe": 0.5, "majority": 0.0}
"""The true time of a fit of each strategy."""


def cell(strategy, task="t", trials=4, seeds=(0, 1)):
    backbone = None if strategy == "majority" else Ref("b")
    return Cell(Ref(task), Ref(strategy), Protocol(trials=trials, seeds=seeds), backbone)


def orders_of(one):
    protocol = one.protocol
    trials = range(protocol.trials) if protocol.is_searched else ()
    yield from (FitOrder(one, "search", (Fit(trial, 0, {}),)) for trial in trials)
    yield from (FitOrder(one, "final", (Fit(0, seed, {}),)) for seed in protocol.seeds)
    yield FitOrder(one, "score")


def simulated(cells, workers, times, parallel=lambda one: 8, cost=lambda one: None):
    """Runs the cells one after the other on some workers, and yields (seconds until the end, estimate) each second."""
    left = TimeLeft(cells, workers, times, PLACE, parallel, cost)
    free, events = [0.0] * workers, []
    for order in itertools.chain.from_iterable(orders_of(one) for one in cells):
        worker = min(range(workers), key=free.__getitem__)
        took = 0.0 if order.purpose == "score" else SECONDS[order.cell.strategy.name]
        events.append((free[worker], free[worker] + took, worker, order))
        free[worker] += took
    end = max(free)
    pending = sorted(events, key=lambda event: event[1])
    for now in range(int(end) + 1):
        while pending and pending[0][1] <= now:
            begin, finish, _, order = pending.pop(0)
            left.finish(order, finish - begin)
            if order.purpose == "score":
                left.end(order.cell.id)
        running = [OrderProgress(order, worker + 1, now - begin) for begin, _, worker, order in pending if begin <= now]
        yield end - now, left.remaining(running)


def known_times():
    times = FitTimes()
    for strategy, purpose in itertools.product(SECONDS, ("search", "final")):
        kind = fit_kind(cell(strategy), purpose, PLACE)
        times._earlier.update(dict.fromkeys(kind.levels(), (SECONDS[strategy], 1)))
    return times


CELLS = [cell("majority", trials=1), *(cell(s, task) for task in "xyz" for s in ("full", "probe"))]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_with_the_times_of_earlier_runs_the_estimate_is_close_and_counts_down(workers):
    estimates = list(simulated(CELLS, workers, known_times()))
    whole = estimates[0][0]
    for until_end, estimate in estimates[:-1]:
        assert estimate.seconds == pytest.approx(until_end, abs=0.15 * whole)
    seconds = [estimate.seconds for _, estimate in estimates]
    # Each second it falls by about one, and never stands or jumps.
    steps = [before - after for before, after in itertools.pairwise(seconds)]
    assert sum(steps) / len(steps) == pytest.approx(seconds[0] / len(steps), rel=0.1)
    assert all(-1e-6 <= step <= 8 for step in steps)
    # What this run measured replaces what earlier ones did.
    assert estimates[0][1].is_rough
    assert not estimates[-2][1].is_rough


def test_without_earlier_runs_costs_tell_slow_strategies_from_quick_ones():
    cells = [cell("probe", "x"), cell("full", "x"), cell("full", "y")]
    costs = {"probe": 1.0, "full": 12.0}
    estimates = list(simulated(cells, 1, FitTimes(), cost=lambda one: costs[one.strategy.name]))
    assert estimates[0][1] is None
    # After the first fits, which were quick, the others are not taken to be as quick.
    until_end, estimate = next((left, one) for left, one in estimates if one is not None)
    assert estimate.is_rough
    assert estimate.seconds == pytest.approx(until_end, rel=0.3)
    for until_end, estimate in estimates[15:-1]:
        assert estimate.seconds == pytest.approx(until_end, abs=4)


def test_a_cell_whose_fits_follow_each_other_takes_its_own_time_on_any_number_of_workers():
    left = TimeLeft([cell("full")], 8, known_times(), PLACE, parallel=lambda one: 1)
    assert left.remaining().seconds == pytest.approx(6 * 7.0)
    left = TimeLeft([cell("full")], 8, known_times(), PLACE, parallel=lambda one: 3)
    assert left.remaining().seconds == pytest.approx(6 * 7.0 / 3)


def test_a_fit_that_takes_longer_than_expected_raises_the_estimate_of_its_like():
    left = TimeLeft([one := cell("full", trials=1, seeds=(0, 1))], 1, known_times(), PLACE, parallel=lambda one: 1)
    first = FitOrder(one, "final", (Fit(0, 0, {}),))
    at = {seconds: left.remaining([OrderProgress(first, 1, seconds)]).seconds for seconds in (0.0, 6.0, 20.0, 100.0)}
    assert at[0.0] == pytest.approx(14)
    assert at[6.0] == pytest.approx(8)
    assert at[20.0] == pytest.approx(5 + 20)
    assert at[100.0] == pytest.approx(25 + 100)


def test_trials_of_an_interrupted_run_are_not_waited_for_again():
    left = TimeLeft([one := cell("full", trials=10, seeds=(0,))], 1, known_times(), PLACE, parallel=lambda one: 1)
    assert left.remaining().seconds == pytest.approx(11 * 7)
    # Trials 0 to 6 were done before.
    running = [OrderProgress(FitOrder(one, "search", (Fit(7, 0, {}),)), 1, 0.0)]
    assert left.remaining(running).seconds == pytest.approx(4 * 7)
    # A search that ends early, since its space is used up.
    running = [OrderProgress(FitOrder(one, "final", (Fit(7, 0, {}),)), 1, 0.0)]
    assert left.remaining(running).seconds == pytest.approx(7)


def test_nothing_known_is_no_estimate_and_nothing_left_is_none_either():
    left = TimeLeft([one := cell("full")], 1, FitTimes(), PLACE, parallel=lambda one: 1)
    assert left.remaining() is None
    left.end(one.id)
    assert left.remaining().seconds == 0
