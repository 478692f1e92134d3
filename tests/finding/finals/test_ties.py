"""The set of settings that validation answers cannot tell from the winner."""

import numpy as np

from tlbench.finding.finals.ties import Contender, tie_set
from tlbench.metrics import METRICS
from tlbench.results.stats import CellPredictions


def contender(number, wrong, seconds=1.0, parameters=10, with_answers=True):
    values = np.ones((1, 100), dtype=np.int64)
    values[0, list(wrong)] = 0
    ids = tuple(f"{i:03}" for i in range(100))
    answers = CellPredictions(ids, np.ones(100, dtype=np.int64), values, (0,)) if with_answers else None
    return Contender(number, number, 1 - len(wrong) / 100, seconds, parameters, answers)


def test_those_a_paired_test_does_not_tell_apart_tie():
    winner = contender(0, range(10), seconds=9.0)
    near = contender(1, range(5, 17), seconds=5.0)
    same = contender(2, range(10), seconds=7.0, parameters=3)
    far = contender(3, range(60))
    unknown = contender(4, range(11), with_answers=False)
    ties = tie_set([far, near, winner, unknown, same], winner, METRICS["accuracy"])
    assert [one.number for one in ties.tied] == [2, 1]
    assert (ties.cheapest.number, ties.smallest.number) == (1, 2)
