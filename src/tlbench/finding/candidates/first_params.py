"""The hyperparameters of a candidate's first fit, and the cell in which they are fixed."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from tlbench.contracts.cell import Cell
from tlbench.contracts.space import Choice, Domain, Float, Int, Space, Value, existing, is_learning_rate

USUAL_STEPS = 150
"""The number of steps from which on the usual learning rates are used as they are."""
MOST_RAISED = 3.0
"""The largest factor on a learning rate for fewer steps.

Three times the rate raised full fine-tuning of MiniLM (3 and 6 blocks) with 60 steps on TREC from 70 and 91 to 85 and
92, on BANKING77 from 11 and 32 to 27 and 48; with 120 steps on TREC from 85 and 93 to 88 and 93 (800 to 1,000 training
rows, one seed).
"""


def first_params(space: Space, defaults: Mapping[str, Value], steps: int | None = None) -> dict[str, Value]:
    """Returns the defaults and, for hyperparameters without one, the middle of their range or the first choice.

    Args:
        space: The hyperparameters.
        defaults: The strategy's defaults.
        steps: Number of steps of a fit, if it has any. Learning rates are raised where it is small.
    """
    values = {name: defaults.get(name, _middle(domain)) for name, domain in space.items()}
    if steps is not None and steps < USUAL_STEPS:
        factor = min(MOST_RAISED, USUAL_STEPS / steps)
        for name, domain in space.items():
            value = values[name]
            if is_learning_rate(name) and isinstance(domain, Float) and domain.log and not isinstance(value, str):
                values[name] = min(float(f"{factor * value:.3g}"), domain.high)
    return existing(space, values)


def cell_of(cell: Cell, params: Mapping[str, Value], seeds: tuple[int, ...] = (0,)) -> Cell:
    """Returns a candidate's cell with these hyperparameters fixed, as a suite would fix them, and these seeds.

    Fits of a search and final fits of one setting are then fits of the same kind, whose results can be shared.
    """
    return msgspec.structs.replace(
        cell, space=dict(params), protocol=msgspec.structs.replace(cell.protocol, seeds=seeds)
    )


def _middle(domain: Domain) -> Value:
    if isinstance(domain, Choice):
        return domain.values[0]
    middle = math.sqrt(domain.low * domain.high) if domain.log else (domain.low + domain.high) / 2
    return min(max(round(middle), domain.low), domain.high) if isinstance(domain, Int) else middle
