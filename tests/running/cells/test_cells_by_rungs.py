"""Cells whose search fits its trials by rungs."""

from collections import Counter

import pytest

from tlbench.cli.recorded.show_cell import lengths_text, search_text
from tlbench.contracts.cell import Protocol
from tlbench.running.cells import cell_run
from tlbench.running.cells.cell_search import CellSearch
from tlbench.testing.jobs import Rehearsal
from tlbench.testing.toys import ToyBackbone, ToyTask

HALVING = {"trials": 9, "sampler": "random", "pruner": "halving-rungs", "max_steps": 27}
STEPS = 9 * 3 + 3 * 9 + 27
"""Nine trials of a ninth of 27 steps, three of a third and one whole."""


def curves(record):
    """Returns the reported scores of each fit of the search, by trial and length."""
    return {(one.trial, one.stop_part): [(p.step, p.score) for p in one.history] for one in record.trials}


@pytest.fixture
def record(runs):
    return runs.one("head-only", **HALVING)


def test_a_longer_fit_begins_with_the_shorter_one_to_the_bit(record):
    assert record.status == "ok"
    assert Counter(one.stop_part for one in record.trials) == {9: 9, 3: 3, None: 1}
    found = curves(record)
    for (trial, part), curve in found.items():
        assert [step for step, _ in curve] == {9: [1, 3], 3: [1, 3, 9], None: [1, 3, 9]}[part]
        assert curve[:2] == found[trial, 9]
    assert [one.reason for one in record.trials if one.stop_part == 3] == ["stopped after 9 of 27 steps"] * 3


def test_only_a_whole_fit_wins_and_all_fits_are_charged(runs, record):
    (whole,) = [one for one in record.trials if one.status == "ok"]
    assert (record.best_params, record.validation) == (whole.params, whole.validation)
    # The winner's whole fit is the final one, and equals a fit without rungs.
    strategy = runs.catalog.strategy("head-only").item
    alone = Rehearsal(strategy, ToyBackbone(), ToyTask(), Protocol(max_steps=27, precision="fp32")).fit(whole.params)
    assert record.fits[0].validation == whole.validation == alone.result.validation
    assert record.fits[0].stop_part is None
    assert record.seconds.search >= sum(one.fit_seconds for one in record.trials)
    batch = whole.examples_seen / 27
    assert sum(one.examples_seen for one in record.trials) == STEPS * batch < 9 * 27 * batch
    assert search_text(record) == ""
    assert lengths_text(record) == "13 fits: 9 of 1/9, 3 of 1/3, 1 whole"


def test_it_is_the_same_on_two_workers(runs, record, essence, tmp_path):
    runs.folder = tmp_path / "two"
    other = runs.one("head-only", executor="isolated", jobs=2, **HALVING)
    assert essence(other) == essence(record)
    assert curves(other) == curves(record)


def test_an_interrupted_search_goes_on_where_it_was(runs, record, essence, monkeypatch, tmp_path):
    runs.folder = tmp_path / "killed"
    tell, told = CellSearch.tell, []

    def interrupted(self, results):
        tell(self, results)
        told.extend((one.trial, one.stop_part) for one in results)
        if len(told) in {4, 11}:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(CellSearch, "tell", interrupted)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                runs.one("head-only", **HALVING)
        resumed = runs.one("head-only", **HALVING)
    assert len(told) == len(set(told)) == 13, "no fit was repeated"
    assert essence(resumed) == essence(record)
    assert curves(resumed) == curves(record)


def test_without_max_steps_the_strategy_knows_its_length(runs):
    record = runs.one("toy-fit", trials=3, sampler="random", pruner="halving-rungs")
    assert Counter(one.stop_part for one in record.trials) == {3: 3, None: 1}
    for one in record.trials:
        steps = int(one.params["steps"])
        # It reports half-way and at the end, so it stops half-way, which is later than a third.
        assert [point.step for point in one.history] == ([steps // 2] if one.stop_part else [steps // 2, steps])


def test_a_strategy_that_reports_nothing_runs_whole_and_show_says_so(runs):
    record = runs.one("toy-guess", trials=9, sampler="random", pruner="halving-rungs")
    assert {(one.status, one.stop_part) for one in record.trials} == {("ok", 9)}
    assert len(record.trials) == 9
    assert record.fits[0].stop_part is None
    assert lengths_text(record) == (
        "9 fits: 9 whole; the strategy reports no scores during a fit, so a fit cannot be stopped early"
    )


def test_fits_in_one_pass_run_whole_and_show_says_so(counted):
    record = counted.one("together", trials=4, sampler="random", pruner="halving-rungs")
    assert {(one.status, one.stop_part) for one in record.trials} == {("ok", None)}
    assert lengths_text(record).startswith(
        "4 fits: all whole; too few trials for rungs, or a strategy that fits several"
    )
    assert lengths_text(counted.one("counting", trials=2)) == ""


def test_a_time_limit_ends_a_search_with_the_whole_fits_that_it_has(runs, monkeypatch):
    tell = CellSearch.tell

    def late(self, results):
        tell(self, results)
        if results[0].status == "ok":
            # From the first whole fit on, no time is left for another one.
            monkeypatch.setattr(cell_run, "next_seconds", lambda trials: 1e9)

    monkeypatch.setattr(CellSearch, "tell", late)
    protocol = {**HALVING, "trials": 17, "pruner": "hyperband-rungs", "max_seconds": 1e6}
    record = runs.one("head-only", **protocol)
    (whole,) = [one for one in record.trials if one.status == "ok"]
    assert (record.status, record.best_params) == ("ok", whole.params)
    assert record.trials_planned == 17
    assert record.reason.startswith("stopped after ")


def test_a_longer_search_takes_over_the_fits_of_a_shorter_one(runs, record):
    longer = runs.one("head-only", **{**HALVING, "trials": 12})
    assert Counter(one.stop_part for one in longer.trials) == {9: 12, 3: 4, None: 1}
    taken = {(one.trial, one.stop_part) for one in longer.trials if one.taken_over}
    assert {(trial, 9) for trial in range(9)} <= taken
    assert taken <= set(curves(record))
