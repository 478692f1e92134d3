"""The time that a search spent on each candidate, and the candidates that it left untried, with the reason."""

from __future__ import annotations

from collections.abc import Sequence

from tlbench.contracts.metric import Metric
from tlbench.contracts.policies.policy import Proposal
from tlbench.finding.answering.answer import Spent, Untried
from tlbench.finding.candidates.all_candidates import Entry
from tlbench.finding.costs.corrected_costs import Costs
from tlbench.finding.find_folder import StoredFit

_BAD = ("failed", "crashed", "oom", "diverged", "timeout")


def spent_on(fits: Sequence[StoredFit], entries: Sequence[Entry], metric: Metric) -> tuple[Spent, ...]:
    """Returns what was spent on each candidate that had a fit, in descending order."""
    sign = 1.0 if metric.greater_is_better else -1.0
    found = []
    for entry in entries:
        mine = [one.outcome for one in fits if one.proposed.candidate == entry.candidate.number and one.outcome]
        if not mine:
            continue
        whole = [one for one in mine if one.ran_whole and one.score is not None]
        scores = [one.score for one in whole if one.score is not None]
        bad = next((one.status for one in mine if one.status in _BAD), "")
        if not bad and whole and all(one.is_constant for one in whole):
            bad = "constant"
        found.append(
            Spent(
                entry.title,
                len(mine),
                sum(one.status == "pruned" for one in mine),
                sum(one.seconds for one in mine),
                max(scores, key=lambda score: sign * score) if scores else None,
                bad,
            )
        )
    return tuple(sorted(found, key=lambda one: -one.seconds))


def untried_of(
    fits: Sequence[StoredFit], entries: Sequence[Entry], costs: Costs, seconds_left: float, ended_because: str
) -> tuple[Untried, ...]:
    """Returns the candidates without a fit of full length that gave a score, each with the reason.

    Args:
        fits: All fits of the search.
        entries: The candidates.
        costs: The expected seconds of fits.
        seconds_left: What was left for the search when it ended.
        ended_because: Why the search ended.
    """
    found = []
    for entry in entries:
        mine = [one.outcome for one in fits if one.proposed.candidate == entry.candidate.number and one.outcome]
        if any(one.ran_whole for one in mine):
            continue
        bad = next((one for one in mine if one.status in _BAD), None)
        if bad is not None:
            reason = f"{bad.status}: {bad.reason}" if bad.reason else bad.status
        elif mine:
            reason = "stopped early: others were better at the same length"
        else:
            expected = costs(Proposal(entry.candidate.number, entry.candidate.defaults))
            if expected > seconds_left:
                reason = f"no time left: a fit takes about {expected:.0f} s"
            else:
                reason = ended_because or "the policy did not choose it"
        found.append(Untried(entry.title, reason))
    return tuple(found)
