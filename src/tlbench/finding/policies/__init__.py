"""The policies that tlbench brings: schedules of fits within a budget, for `tlbench find --policy`."""

from __future__ import annotations

from tlbench.catalog.hookspecs import hookimpl
from tlbench.contracts.policies.policy import Policy
from tlbench.finding.policies.race import Race
from tlbench.finding.policies.random_search import RandomSearch
from tlbench.finding.policies.successive_halving import SuccessiveHalving

POLICIES: tuple[Policy, ...] = (Race(), SuccessiveHalving(), RandomSearch())
"""tlbench's own policies; the first is the default of `tlbench find`."""


@hookimpl
def tlbench_policies() -> list[Policy]:
    """Registers tlbench's own policies."""
    return list(POLICIES)
