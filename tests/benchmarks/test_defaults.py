"""The benchmark of first settings: which gaps it reads out of records, and what the page says of them."""

from benchmarks.defaults.__main__ import gaps, page, table
from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.record import FitResult, Record


def record(strategy, task, scores, purpose="search"):
    cell = Cell(Ref(task), Ref(strategy), Protocol(trials=len(scores), seeds=(0,)), Ref("toy"))
    trials = [FitResult({}, 0, purpose, number, "ok", validation=score) for number, score in enumerate(scores)]
    return Record(cell, "ok", trials=tuple(trials))


def test_the_gap_is_that_of_the_first_trial_to_the_best():
    (gap,) = gaps([record("lora", "trec", [0.80, 0.85, None, 0.70])])
    assert (gap.strategy, gap.task, gap.first, gap.best, gap.trials) == ("lora", "trec", 0.80, 0.85, 4)
    assert not gap.is_small
    (gap,) = gaps([record("lora", "trec", [0.80, 0.81])])
    assert gap.is_small


def test_searches_of_one_trial_or_without_a_first_score_have_no_gap():
    assert gaps([record("a", "t", [0.5]), record("b", "t", [None, 0.5])]) == []


def test_the_page_counts_strategies_within_a_point_on_two_tasks():
    near, far = [0.80, 0.805], [0.60, 0.80]
    records = [record("near", task, near) for task in ("x", "y")] + [record("near", "z", far)]
    records += [record("far", task, scores) for task, scores in (("x", near), ("y", far), ("z", far))]
    found = gaps(records)
    assert "1 of 2 strategies are within a point on two tasks" in page(found)
    assert "| `near` | 80.0 +0.5 | 80.0 +0.5 | 60.0 +20.0 | 2/3 |" in table(found)
    assert "| `far` | 80.0 +0.5 | 60.0 +20.0 | 60.0 +20.0 | 1/3 |" in table(found)
