"""The model of runs on many workers, on cases that can be computed by hand."""

import pytest

from benchmarks.executors.queue_model import Costs, most_workers, predicted_efficiency, predicted_seconds

COSTS = Costs(driver_ms=2.0, worker_ms=3.0)


def test_one_worker_takes_everything_one_after_another():
    assert predicted_seconds(COSTS, 10, 1, 45.0) == pytest.approx(10 * 0.050)
    assert predicted_efficiency(COSTS, 10, 1, 45.0) == pytest.approx(0.9)


def test_a_few_workers_wait_for_the_driver_only_at_the_start():
    # The k-th of four workers starts after k services of the driver, and never meets another one there again.
    assert predicted_seconds(COSTS, 40, 4, 45.0) == pytest.approx((4 * 2.0 + 48.0 + 9 * 50.0) / 1000)


def test_with_more_workers_than_the_driver_can_serve_it_alone_decides():
    assert most_workers(COSTS, 45.0) == 25
    assert predicted_seconds(COSTS, 1000, 100, 45.0) == pytest.approx((1000 * 2.0 + 48.0) / 1000)
    assert predicted_efficiency(COSTS, 10_000, 100, 45.0) == pytest.approx(0.225, rel=0.01)


def test_no_more_workers_than_fits_are_used():
    assert predicted_seconds(COSTS, 3, 100, 45.0) == pytest.approx((3 * 2.0 + 48.0) / 1000)


def test_cores_that_all_workers_share_bound_a_run():
    # 8 workers, each with 10 ms on a core and 10 ms of sleep: 2 cores give 200 fits a second, and not 400.
    costs = Costs(driver_ms=0.0, worker_ms=10.0, worker_cpu_ms=10.0, cores=2)
    assert predicted_seconds(costs, 4000, 8, 10.0) == pytest.approx(4000 / 200, rel=0.01)
    alone = Costs(driver_ms=0.0, worker_ms=10.0, worker_cpu_ms=10.0)
    assert predicted_seconds(alone, 4000, 8, 10.0) == pytest.approx(4000 / 400, rel=0.01)


def test_half_a_core_takes_twice_as_long():
    costs = Costs(driver_ms=0.0, worker_ms=10.0, worker_cpu_ms=10.0, cores=0.5)
    assert predicted_seconds(costs, 100, 4, 0.0) == pytest.approx(2.0)
