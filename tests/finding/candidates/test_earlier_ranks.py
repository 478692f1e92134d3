"""Ranks of earlier searches: how they are kept, and what priors they give."""

from dataclasses import replace

import pytest

from tests.finding.costs.conftest import costs_of_toys
from tlbench.finding.candidates.all_candidates import Candidates
from tlbench.finding.candidates.earlier_ranks import MOST_SEARCHES, earlier_priors, save_ranks, with_priors

FIRST, SECOND, THIRD = "small | toy-fit", "small | toy-tune", "large | toy-tune"


@pytest.fixture
def entries():
    return costs_of_toys().entries


def test_priors_are_mean_ranks_drawn_towards_zero(entries, tmp_path):
    file = tmp_path / "new" / "ranks.json"
    assert earlier_priors(entries, file) == (0.0, 0.0, 0.0, 0.0)
    save_ranks({FIRST: 0.9, SECOND: 0.5, THIRD: 0.7}, file)
    assert earlier_priors(entries, file) == (0.0, 0.5, -0.5, 0.0)
    save_ranks({FIRST: 0.4, THIRD: 0.4}, file)
    assert earlier_priors(entries, file) == (0.0, pytest.approx(1 / 3), -0.5, 0.0), "equal scores have equal ranks"
    save_ranks({FIRST: 0.4}, file)
    assert earlier_priors(entries, file)[1] == pytest.approx(1 / 3), "one alone has no rank"
    file.write_text("{")
    assert earlier_priors(entries, file) == (0.0, 0.0, 0.0, 0.0)


def test_many_searches_do_not_outweigh_what_is_new(entries, tmp_path):
    file = tmp_path / "ranks.json"
    for _ in range(30):
        save_ranks({FIRST: 0.9, SECOND: 0.5}, file)
    high = earlier_priors(entries, file)[1]
    assert 0.9 < high < 1
    for _ in range(int(MOST_SEARCHES)):
        save_ranks({FIRST: 0.1, SECOND: 0.5}, file)
    assert earlier_priors(entries, file)[1] < 0


def test_priors_of_other_candidates_are_not_used(entries):
    found = Candidates(tuple(entries), ())
    assert [one.candidate.prior for one in with_priors(found, (0.1, 0.2, 0.3, 0.4)).entries] == [0.1, 0.2, 0.3, 0.4]
    assert with_priors(found, (0.1,)) == replace(found)
