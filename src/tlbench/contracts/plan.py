"""What a run will do: cells to run and combinations to skip."""

from __future__ import annotations

import msgspec

from tlbench.contracts.cell import Cell


class Skip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A combination that cannot be run, and why."""

    title: str
    reason: str


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a run will do, in the order to do it."""

    suite: str
    cells: tuple[Cell, ...]
    skips: tuple[Skip, ...] = ()
