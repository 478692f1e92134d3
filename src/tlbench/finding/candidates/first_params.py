"""The hyperparameters of a candidate's first fit, and the cell in which they are fixed."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from tlbench.contracts.cell import Cell
from tlbench.contracts.space import Choice, Domain, Int, Space, Value, existing


def first_params(space: Space, defaults: Mapping[str, Value]) -> dict[str, Value]:
    """Returns the defaults and, for hyperparameters without one, the middle of their range or the first choice."""
    values = {name: defaults.get(name, _middle(domain)) for name, domain in space.items()}
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
