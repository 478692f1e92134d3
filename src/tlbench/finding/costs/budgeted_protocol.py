"""How much data a fit sees and how long it is, so that the budget holds a probe of each backbone and a dozen fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from tlbench.contracts.cell import Protocol
from tlbench.contracts.policies.policy import Proposal
from tlbench.finding.candidates.all_candidates import Entry
from tlbench.finding.costs.corrected_costs import Costs
from tlbench.finding.costs.fit_seconds import START_SECONDS, whole_steps
from tlbench.finding.request import FindRequest

FIT_SHARE = 1 / 3
"""Share of the budget that the most expensive usual fit may take."""
PROBES_SHARE = 0.3
"""Share of the budget that probes of all backbones and baselines may take together."""
FEWEST_STEPS = 60
"""Below about this many steps, fine-tuning shows little of what it can do."""
FEWEST_ROWS = 500
"""Smallest number of training rows to which a search limits itself."""
FEWEST_VALIDATION_ROWS = 300
"""Smallest number of validation rows to which a search limits itself."""
_EVEN = 10


def asked_protocol(request: FindRequest) -> Protocol:
    """Returns the protocol with what the request says of it, and nothing else."""
    return Protocol(max_steps=request.max_steps, train_limit=request.train_limit, precision=request.precision)


def budgeted_protocol(request: FindRequest, costs: Costs, workers: int = 1) -> Protocol:
    """Returns the protocol of all fits of a search, with as much data and as many steps as suit the budget.

    Fits see all rows, or a share of them if probes and baselines would otherwise take more than `PROBES_SHARE` of the
    budget. They have as many steps as three passes over these rows, and at least `FEWEST_STEPS` if there is time, or
    fewer if the most expensive ones would take more than `FIT_SHARE` of it. What the request says is kept.

    Args:
        request: What was asked.
        costs: The costs of candidates on all rows, and without a number of steps.
        workers: Number of workers.
    """
    protocol = asked_protocol(request)
    if request.train_limit is None:
        share = _share_of_rows(request, costs, workers)
        rows, validation = costs.shape.train_rows, costs.shape.validation_rows
        if share < 1:
            # A share limits the validation split too, unless few rows would be left of it.
            with_validation = validation * share >= FEWEST_VALIDATION_ROWS
            limit = {"train_fraction": round(share, 2)} if with_validation else {"train_limit": round(rows * share)}
            protocol = msgspec.structs.replace(protocol, **limit)
            costs = _on_share(costs, share, share if with_validation else 1.0)
    adapted = [entry for entry in costs.entries if entry.candidate.role == "adaptation"]
    if request.max_steps is not None or not adapted:
        return protocol
    return msgspec.structs.replace(protocol, max_steps=_steps(request, costs, adapted))


def _share_of_rows(request: FindRequest, costs: Costs, workers: int) -> float:
    frozen = [entry for entry in costs.entries if entry.candidate.role != "adaptation"]
    total = sum(costs(_default(entry)) for entry in frozen)
    fixed = START_SECONDS * len(frozen)
    room = PROBES_SHARE * request.seconds * workers
    if total <= room:
        return 1.0
    wanted = (room - fixed) / (total - fixed) if room > fixed else 0.0
    share = max(wanted, min(1.0, FEWEST_ROWS / max(1, costs.shape.train_rows)))
    # Of two digits, and never 0.
    return min(1.0, max(0.01, round(share, 2)))


def _on_share(costs: Costs, share: float, of_validation: float) -> Costs:
    shape = costs.shape
    rows, validation = round(shape.train_rows * share), round(shape.validation_rows * of_validation)
    return replace(costs, shape=replace(shape, train_rows=max(1, rows), validation_rows=max(1, validation)))


def _steps(request: FindRequest, costs: Costs, adapted: Sequence[Entry]) -> int:
    whole = max(whole_steps(entry, costs.shape) for entry in adapted)
    # The second most expensive: one candidate far beyond the others must not shorten the fits of all.
    expensive = sorted((costs(_default(entry)) for entry in adapted), reverse=True)[:2][-1]
    # Three passes over a few rows are too few steps: there, fits have more, as far as the time allows.
    most = max(whole, FEWEST_STEPS)
    steps = round(min(most, whole * request.seconds * FIT_SHARE / expensive))
    rounded = steps if steps < _EVEN or steps == most else steps // _EVEN * _EVEN
    return max(1, rounded, min(whole, FEWEST_STEPS))


def _default(entry: Entry) -> Proposal:
    return Proposal(entry.candidate.number, entry.candidate.defaults)
