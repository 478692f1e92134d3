"""How much data and how many steps the fits of a search have, by its budget."""

import pytest

from tlbench.contracts.policies.policy import Proposal
from tlbench.finding.costs.budgeted_protocol import FEWEST_ROWS, FEWEST_STEPS, PROBES_SHARE, budgeted_protocol
from tlbench.finding.costs.data_shape import DataShape
from tlbench.finding.request import FindRequest


def protocol_for(costs, minutes, shape=None, **asked):
    costs.steps = asked.get("max_steps")
    costs.shape = shape or costs.shape
    return budgeted_protocol(FindRequest("task", minutes, **asked), costs)


def test_with_time_enough_fits_see_all_rows_three_times(costs):
    protocol = protocol_for(costs, 600)
    assert (protocol.train_limit, protocol.train_fraction) == (None, None)
    assert protocol.max_steps == (3 * -(-1000 // 16))


def test_with_less_time_fits_are_shorter_but_not_too_short(costs):
    steps = [protocol_for(costs, minutes).max_steps for minutes in (0.1, 1, 4, 60)]
    assert steps == sorted(steps)
    assert steps[0] == FEWEST_STEPS
    assert steps[-1] > FEWEST_STEPS


def test_fits_pass_more_often_over_few_rows(costs):
    few = DataShape(80, 20, 20.0)
    assert protocol_for(costs, 600, few).max_steps == FEWEST_STEPS > 3 * 80 / 16
    slow = DataShape(80, 20, 2e6)
    assert protocol_for(costs, 0.2, slow).max_steps == 3 * 80 / 16, (
        "as often as time allows, but no fewer than three times"
    )


def test_rows_are_limited_so_that_probes_fit(costs):
    large = DataShape(400_000, 40_000, 20.0)
    protocol = protocol_for(costs, 1, large)
    assert protocol.train_limit is None
    assert protocol.train_fraction * 400_000 >= FEWEST_ROWS
    share = protocol.train_fraction
    seen = DataShape(round(400_000 * share), round(40_000 * share), 20.0)
    costs.shape = seen
    frozen = [one for one in costs.entries if one.candidate.role != "adaptation"]
    spent = sum(costs(Proposal(one.candidate.number, {})) for one in frozen)
    assert spent == pytest.approx(PROBES_SHARE * 60, rel=0.35), "two digits of a small share are coarse"


def test_a_small_validation_split_stays_whole(costs):
    protocol = protocol_for(costs, 0.2, DataShape(50_000, 400, 20.0))
    assert protocol.train_fraction is None
    assert FEWEST_ROWS <= protocol.train_limit < 50_000


def test_what_was_asked_is_kept(costs):
    protocol = protocol_for(costs, 0.2, DataShape(50_000, 400, 20.0), max_steps=7, train_limit=9)
    assert (protocol.max_steps, protocol.train_limit, protocol.train_fraction) == (7, 9, None)
