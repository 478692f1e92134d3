"""A search goes the same way on any number of workers, in whatever order fits end, killed or not."""

import pytest

SAMPLERS = {"tpe": 40, "gp": 14, "random": 40, "grid": 40}
PRUNERS = ("none", "median", "halving", "hyperband")


@pytest.mark.parametrize("pruner", PRUNERS)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_is_the_same_on_any_number_of_workers(searches, sampler, pruner):
    # A short lag where each draw takes long, so that the sampler learns from something.
    protocol = {"sampler": sampler, "pruner": pruner, "trials": SAMPLERS[sampler], "lag": 3 if sampler == "gp" else 8}
    calm = searches.simulate(**protocol)
    assert list(calm.results) == list(range(len(calm.results)))
    statuses = {result.status for result in calm.results.values()}
    assert statuses >= {"ok", "diverged"}
    if pruner != "none" and sampler != "gp":
        assert "pruned" in statuses
    for workers in (2, 4, 8):
        for seed in range(1 if sampler == "gp" else 3):
            assert searches.simulate(workers, seed, **protocol).way == calm.way
        assert searches.simulate(workers, 9, kills=0.2, **protocol).way == calm.way
        assert searches.simulate(workers, 7, kills=0.1, restarts=0.1, **protocol).way == calm.way


def test_a_search_that_is_killed_after_every_fit_is_the_same(searches):
    protocol = {"trials": 30, "pruner": "median"}
    assert searches.simulate(4, restarts=1.0, **protocol).way == searches.simulate(**protocol).way


def test_the_order_in_which_simulated_fits_end_is_not_that_of_their_numbers(searches):
    """What the tests above rest on."""
    run = searches.simulate(8, trials=40)
    assert list(run.results) != sorted(run.results)
    assert list(run.results) != list(searches.simulate(8, 1, trials=40).results)


@pytest.mark.parametrize("sampler", ["random", "grid"])
def test_samplers_without_feedback_do_not_wait_for_results(searches, sampler):
    assert searches.simulate(8, sampler=sampler, trials=40, lag=1).idle == 0.0


@pytest.mark.parametrize("pruner", PRUNERS)
@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_workers_are_rarely_idle(searches, sampler, pruner):
    """Four workers on one cell, at the usual lag: what is counted is simulated time."""
    runs = [searches.simulate(4, seed, sampler=sampler, pruner=pruner, trials=64, lag=8) for seed in range(6)]
    assert sum(run.idle for run in runs) / 6 < 0.1
