"""How long a fit is: as many steps as leave room in the budget for about a dozen fits of the dearest kind."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tlbench.contracts.cell import Protocol
from tlbench.contracts.policies.policy import Proposal
from tlbench.finding.candidates.all_candidates import Entry
from tlbench.finding.costs.corrected import Costs
from tlbench.finding.costs.work import whole_steps
from tlbench.finding.request import FindRequest

SHARE = 1 / 12
"""Share of the budget that the dearest usual fit may take, with all workers busy."""
FEWEST_STEPS = 60
"""Below about this many steps, fine-tuning shows little of what it can do."""
_EVEN = 10


def budgeted_protocol(request: FindRequest, costs: Costs) -> Protocol:
    """Returns the protocol of all fits of a search, with a number of steps that suits the budget.

    A fit has as many steps as three passes over the data, or fewer if the dearest candidates would then take more than
    `SHARE` of the budget. It has more only if the request says so.

    Args:
        request: What was asked.
        costs: The costs of candidates whose protocol sets no number of steps.
    """
    protocol = Protocol(max_steps=request.max_steps, train_limit=request.train_limit, precision=request.precision)
    adapted = [entry for entry in costs.entries if entry.candidate.role == "adaptation"]
    if request.max_steps is not None or not adapted:
        return protocol
    return msgspec.structs.replace(protocol, max_steps=_steps(request, costs, adapted))


def _steps(request: FindRequest, costs: Costs, adapted: Sequence[Entry]) -> int:
    whole = max(whole_steps(entry, costs.shape) for entry in adapted)
    room = request.seconds * SHARE
    # The second dearest: one candidate far beyond the others must not shorten the fits of all.
    prices = sorted(
        (costs(Proposal(entry.candidate.number, entry.candidate.defaults)) for entry in adapted), reverse=True
    )
    dearest = prices[min(1, len(prices) - 1)]
    steps = round(whole * min(1.0, room / dearest))
    rounded = steps if steps < _EVEN else steps // _EVEN * _EVEN
    return max(1, min(whole, max(FEWEST_STEPS, rounded)))
