"""The quick form of `benchmarks/speed`: both sides do the same work and give valid results. Time is not looked at."""

import math
import os

import pytest

from benchmarks.speed import driver
from benchmarks.speed.ledger import Ledger


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    pytest.importorskip("accelerate", reason="the Trainer needs accelerate: the extras `dev` and `bench` have it")
    work = tmp_path_factory.mktemp("speed")
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    try:
        # One core for each side: threads that wait for each other cost more than they bring at this size.
        options = ["--quick", "--tiny", "--rows", "probe,bare", "--cores", "1", "--work", str(work)]
        assert driver.main(options) == 0
    finally:
        if cores:
            os.sched_setaffinity(0, cores)
    return Ledger.read(work / "quick.json")


@pytest.mark.parametrize("row", ["probe", "bare"])
def test_both_sides_give_finite_scores_and_answer_every_test_row(quick, row):
    measured = quick.rows[row]
    (pair,) = measured.pairs
    assert len(measured.targets) == 20
    assert set(measured.targets) == {"0", "1"}
    for side in (pair.tlbench, pair.peer):
        (cell,) = side.cells
        assert 0 <= cell.validation <= 1
        assert {len(answers) for answers in cell.predictions.values()} == {20}
        assert all(set(answers) <= {"0", "1"} for answers in cell.predictions.values())
        assert side.whole_seconds > side.work_seconds > 0
        assert side.peak_bytes > 0
        assert all(map(math.isfinite, cell.params.values()))


@pytest.mark.parametrize(("row", "trials"), [("probe", 2), ("bare", 1)])
def test_both_sides_run_as_many_trials_at_the_same_seed(quick, row, trials):
    (pair,) = quick.rows[row].pairs
    assert pair.tlbench.cells[0].trials == pair.peer.cells[0].trials == trials
    assert pair.tlbench.cells[0].predictions.keys() == pair.peer.cells[0].predictions.keys()


def test_the_bare_loop_takes_the_same_steps_at_the_same_rate(quick):
    (pair,) = quick.rows["bare"].pairs
    ours, theirs = pair.tlbench.cells[0], pair.peer.cells[0]
    assert ours.steps == theirs.steps == math.ceil(60 / 16)
    assert ours.params == theirs.params
