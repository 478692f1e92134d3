"""The seconds that a search leaves for the final fits, the test split and the answer."""

from __future__ import annotations

from collections.abc import Sequence

from tlbench.contracts.policies.policy import Outcome, Proposal
from tlbench.finding.costs.corrected_costs import Costs
from tlbench.finding.costs.fit_seconds import START_SECONDS

SAFETY, SAFETY_MEASURED = 1.6, 1.3
"""Factors by which the reserve exceeds the expected time of the final fits: of a candidate that this search has not
fitted yet, and of one whose cost it has measured."""
MORE_SEEDS = 2
"""Number of seeds at which the winner is fitted in addition to the seed of the search."""
SEEDS_SHARE = 0.15
"""Largest share of the budget that is reserved for the winner's other seeds: they say how sure the score is, while the
same time in the search may find a better winner."""
MOST = 0.45
"""Largest share of the budget that is reserved, for scoring the winner on a large test split."""
LEAST_SECONDS = 4.0
STARTS = 0.6
"""At least this share of the seconds that the first worker took to start is reserved: choosing the finalists, starting
workers for them and scoring take longer on a busy machine, as the start did."""
USED = 0.85
"""The share of a budget of which more is used, or else the answer says why not."""
FEW_ROWS = 100
"""Below this many validation rows, a single split says little, and finalists are compared by cross-validation."""
FOLDS = 5
LATE_SECONDS, LATE_SHARE = 2.0, 0.015
"""How long after the deadline, in seconds or as a share of the budget, a first score or the winner's test score is
waited for: a late answer is better than none."""


def late_seconds(total: float) -> float:
    """Returns the seconds after the deadline of a budget after which the search stops waiting for results."""
    return max(LATE_SECONDS, LATE_SHARE * total)


def fold_seconds(proposal: Proposal, costs: Costs) -> float:
    """Returns the seconds that a setting's cross-validation is expected to take: a fit for each fold."""
    return START_SECONDS + FOLDS * costs.again(Proposal(proposal.candidate, proposal.params))


def final_seconds(proposal: Proposal, costs: Costs, workers: int, seeds: int) -> float:
    """Returns the seconds that scoring a winner and fitting it at so many seeds are expected to take."""
    rounds = -(-seeds // max(1, workers))
    whole = Proposal(proposal.candidate, proposal.params)
    # The test split is read once for each seed, and scored at the end by a worker.
    return rounds * costs.again(whole) + 2 * START_SECONDS


def one_score_seconds(proposal: Proposal, costs: Costs, is_saved: bool) -> float:
    """Returns the seconds that scoring a winner at one seed is expected to take, from its weights if they are saved."""
    whole = Proposal(proposal.candidate, proposal.params)
    return (costs.scoring(whole) if is_saved else costs.again(whole)) + 2 * START_SECONDS


def reserved_seconds(
    costs: Costs,
    outcomes: Sequence[Outcome],
    best: Outcome | None,
    total: float,
    left: float,
    workers: int,
    is_saved: bool = False,
    start_seconds: float = 0.0,
) -> float:
    """Returns the seconds to keep for the final fits of the most expensive likely winner.

    That is the best fit so far, or a candidate without a fit of full length that could still have one within the time
    left.

    Args:
        costs: The expected seconds of fits.
        outcomes: The finished fits.
        best: The best of them.
        total: The whole budget in seconds.
        left: What is left of it.
        workers: Number of workers.
        is_saved: Whether the weights of the best fit are on disk, so that it is not fitted again.
        start_seconds: The seconds that the first worker took to start.
    """
    fitted = {one.proposal.candidate for one in outcomes if one.proposal.part is None}
    likely = []
    if best is not None:
        factor = SAFETY_MEASURED if costs.is_measured(best.proposal.candidate) else SAFETY
        least = factor * one_score_seconds(best.proposal, costs, is_saved)
        more = factor * _seed_seconds(best.proposal, costs, workers)
        if costs.shape.validation_rows < FEW_ROWS and more:
            # The best and a rival are compared.
            least += factor * -(-2 // max(1, workers)) * fold_seconds(best.proposal, costs)
        likely.append(least + min(more, SEEDS_SHARE * total))
    for entry in costs.entries:
        one = Proposal(entry.candidate.number, entry.candidate.defaults)
        is_kept = entry.candidate.role == "adaptation"
        least = SAFETY * one_score_seconds(one, costs, is_kept)
        if entry.candidate.number not in fitted and costs(one) + least <= left:
            likely.append(least + min(SAFETY * _seed_seconds(one, costs, workers), SEEDS_SHARE * total))
    wanted = max(likely, default=0.0)
    return min(max(wanted, LEAST_SECONDS, STARTS * start_seconds), MOST * total)


def _seed_seconds(proposal: Proposal, costs: Costs, workers: int) -> float:
    """Returns the seconds of the winner's other seeds; none for a baseline, whose other seeds say little."""
    if costs.entries[proposal.candidate].candidate.role == "baseline":
        return 0.0
    return -(-MORE_SEEDS // max(1, workers)) * costs.again(Proposal(proposal.candidate, proposal.params))
