"""Applies the names on the command line to a suite: selects, replaces or adds on each of its axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from tlbench.catalog.catalog import Catalog
from tlbench.planning.suite import Patch, Suite, SuiteBlock

Canonical: TypeAlias = Callable[[str], str]
"""Returns the canonical name of a task, backbone or strategy."""


@dataclass(frozen=True)
class Selection:
    """The names and the protocol fields that the command line applies to a suite.

    On each axis (backbones, tasks, strategies), a name that is in the suite selects the cells with this name, a name
    that is not in the suite replaces the axis, and a name after a plus sign is added to the axis.
    """

    backbones: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    protocol: Patch = field(default_factory=Patch)


def select_blocks(suite: Suite, catalog: Catalog, selection: Selection) -> list[SuiteBlock]:
    """Returns the blocks of a suite, with the selection applied to the names on each axis.

    Raises:
        UsageError: An unknown or ambiguous name.
    """
    blocks = list(suite.cells)
    blocks = _choose(suite, blocks, "tasks", selection.tasks, lambda name: catalog.task(name).ref.name)
    blocks = _choose(suite, blocks, "backbones", selection.backbones, lambda name: catalog.backbone(name).ref.name)
    return _choose_strategies(suite, blocks, selection.strategies, lambda name: catalog.strategy(name).ref.name)


def _choose(
    suite: Suite, blocks: list[SuiteBlock], axis: str, chosen: Sequence[str], canonical: Canonical
) -> list[SuiteBlock]:
    """Returns the blocks with one axis, "tasks" or "backbones", replaced as `Selection` describes."""
    named, added = _split_added(chosen)
    keep, new = _split_known(suite, axis, named, canonical)
    result = []
    for block in blocks:
        names: tuple[str, ...] = getattr(block, axis)
        if axis == "backbones" and not names:
            # A block of baselines: they are compared with whatever backbone is selected.
            result.append(block)
            continue
        if named:
            names = (*(name for name in names if canonical(name) in keep), *new)
        names = (*names, *added)
        if names:
            result.append(msgspec.structs.replace(block, **{axis: names}))
    return result


def _choose_strategies(
    suite: Suite, blocks: list[SuiteBlock], chosen: Sequence[str], canonical: Canonical
) -> list[SuiteBlock]:
    """Returns the blocks with their strategies replaced as `Selection` describes."""
    named, added = _split_added(chosen)
    keep, new = _split_known(suite, "strategies", named, canonical)
    result = blocks
    if named:
        kept = ((block, tuple(n for n in block.strategies if canonical(n) in keep)) for block in blocks)
        # Baselines, whose block has no backbones, are part of every comparison.
        kept = ((block, names or (() if block.backbones else block.strategies)) for block, names in kept)
        result = [msgspec.structs.replace(block, strategies=names) for block, names in kept if names]
    if strategies := (*new, *added):
        # No block of the suite says where a new strategy runs or how long: it gets a block of its own, with all the
        # backbones and tasks that are left, under the suite's protocol.
        backbones = tuple(dict.fromkeys(name for block in blocks for name in block.backbones))
        tasks = tuple(dict.fromkeys(name for block in blocks for name in block.tasks))
        result = [*result, SuiteBlock(tasks=tasks, strategies=strategies, backbones=backbones)]
    return result


def _split_added(chosen: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the names that have no plus sign, and the names that have one, with the plus sign removed."""
    named = tuple(name for name in chosen if not name.startswith("+"))
    return named, tuple(name[1:] for name in chosen if name.startswith("+"))


def _split_known(
    suite: Suite, axis: str, named: Sequence[str], canonical: Canonical
) -> tuple[set[str], tuple[str, ...]]:
    """Returns the canonical names that the suite has on an axis, and the other names as they were given."""
    # Compared with the whole suite and not with the blocks that are left by other options: one option must not change
    # whether a name of another selects or replaces.
    known = {canonical(name) for block in suite.cells for name in getattr(block, axis)} if named else set()
    wanted = {canonical(name): name for name in named}
    return set(wanted) & known, tuple(name for ref, name in wanted.items() if ref not in known)
