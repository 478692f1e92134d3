"""Which settings get more seeds in the time that the final fits leave."""

import pytest

from tlbench.finding.endings import CONDITION_MET, NOTHING_LEFT, TIME_IS_UP
from tlbench.finding.finals.finalists import SEEDS, Finalist, Finals
from tlbench.finding.finals.rest_of_time import MOST_SEEDS, next_finalist


def finals(ended=TIME_IS_UP):
    finalists = (Finalist("winner", 3, 0, {}, (0, 1)), Finalist("baseline", 0, 1, {}, (0,)))
    return Finals(finalists, (2,), 0, 0, 10.0, ended, (Finalist("rival", 4, 2, {}, ()),))


def steps(left, ended=TIME_IS_UP, done=None, is_little_used=True):
    """Returns the fits and seeds that follow each other, a seed costing a second."""
    done, found = {0: 2, 1: 1} if done is None else done, []
    while one := next_finalist(finals(ended), done, lambda one, seeds: float(seeds), left, is_little_used):
        left -= len(one.seeds) - done.get(one.fit, 0)
        done[one.fit] = len(one.seeds)
        found.append((one.fit, len(one.seeds)))
        assert left >= 0
        assert one.seeds == tuple(range(len(one.seeds)))
    return found


def test_each_setting_is_scored_once_then_the_winner_and_its_rivals_have_all_seeds():
    assert steps(4.0) == [(2, 1), (0, SEEDS), (2, SEEDS)]
    assert steps(100.0) == [(2, 1), (0, SEEDS), (2, SEEDS), (0, MOST_SEEDS), (2, MOST_SEEDS)]
    assert steps(3.0) == [(2, 1), (0, SEEDS), (2, 2)], "fewer seeds where the time holds no more"
    assert steps(0.9) == []


@pytest.mark.parametrize(("ended", "is_little_used"), [(NOTHING_LEFT, True), (TIME_IS_UP, False)])
def test_more_seeds_than_usual_only_fill_a_budget_that_was_cut_short(ended, is_little_used):
    assert steps(100.0, ended, is_little_used=is_little_used)[-1] == (2, SEEDS)


def test_nothing_follows_where_the_user_said_when_to_stop_or_where_a_setting_failed():
    assert steps(100.0, CONDITION_MET) == []
    assert steps(100.0, done={0: MOST_SEEDS, 1: MOST_SEEDS, 2: MOST_SEEDS}) == []
