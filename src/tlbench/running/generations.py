"""How many trials of a search are in work at the same time: decided by the protocol, never by the machine."""

from __future__ import annotations

from tlbench.contracts.cell import Protocol

STARTUP = 10
"""Trials that a model-based sampler draws at random before it learns from them: Optuna's own number."""
TOGETHER = 4
"""Trials that it then draws before it waits for their scores, whether or not somebody can fit them at the same time."""


def together(protocol: Protocol, number: int) -> int:
    """Returns how many trials, from this number on, are drawn without a look at each other's scores."""
    if protocol.pruner != "none":
        return 1
    if protocol.sampler in {"random", "grid"}:
        return protocol.trials
    return STARTUP - number if number < STARTUP else TOGETHER - (number - STARTUP) % TOGETHER
