"""Applies the names on the command line to a suite: selects, replaces or adds on each of its axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.errors import UsageError
from tlbench.planning.placement import Placement
from tlbench.planning.settings import NamedValue
from tlbench.planning.suite import Patch, Suite, SuiteBlock

Canonical: TypeAlias = Callable[[str], str]
"""Returns the canonical name of a task, backbone or strategy."""


@dataclass(frozen=True)
class Selection:
    """The names and the protocol fields that the command line applies to a suite.

    On each axis (backbones, tasks, strategies), a name that is in the suite selects the cells with this name, a name
    that is not in the suite replaces the axis, and a name after a plus sign is added to the axis. A strategy that is
    new to the suite is added to the suite's blocks and gets their protocol.
    """

    backbones: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    protocol: Patch = field(default_factory=Patch)
    like: str | None = None
    """A strategy of the suite, to whose blocks new strategies are added; needed if blocks differ in their protocol."""
    baselines: bool = True
    """Whether the suite's baselines are kept, or only those among the chosen strategies."""
    settings: tuple[NamedValue, ...] = ()
    """Values of hyperparameters, parameters of strategies and fields of the protocol, by name."""


def select_blocks(suite: Suite, catalog: Catalog, selection: Selection) -> list[SuiteBlock]:
    """Returns the blocks of a suite, with the selection applied to the names on each axis.

    Raises:
        UsageError: An unknown or ambiguous name, or a new strategy for which the suite has several protocols.
    """
    blocks = list(suite.cells) if selection.baselines else _without_baselines(suite, catalog, selection)
    blocks = _choose(suite, blocks, "tasks", selection.tasks, lambda name: catalog.task(name).ref.name)
    blocks = _choose(suite, blocks, "backbones", selection.backbones, lambda name: catalog.backbone(name).ref.name)
    return _choose_strategies(suite, blocks, selection, catalog)


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
    suite: Suite, blocks: list[SuiteBlock], selection: Selection, catalog: Catalog
) -> list[SuiteBlock]:
    """Returns the blocks with their strategies replaced as `Selection` describes."""

    def canonical(name: str) -> str:
        return catalog.strategy(name).ref.name

    named, added = _split_added(selection.strategies)
    keep, new = _split_known(suite, "strategies", named, canonical)
    result = blocks
    if named:
        kept = ((block, tuple(n for n in block.strategies if canonical(n) in keep)) for block in blocks)
        # Baselines, whose block has no backbones, are part of every comparison.
        kept = ((block, names or (() if block.backbones else block.strategies)) for block, names in kept)
        result = [msgspec.structs.replace(block, strategies=names) for block, names in kept if names]
    strategies = (*new, *added)
    if strategies:
        # New strategies join the blocks of the selected ones or, if none with a backbone is selected, all blocks.
        hosts = result if any(block.backbones for block in result) else blocks
        placement = Placement(suite, catalog, selection.protocol, selection.like)
        result = [*result, *(block for name in strategies for block in placement.blocks(name, hosts))]
    elif selection.like is not None:
        raise UsageError(f"--like {selection.like}: --strategy names no strategy that is new to the suite {suite.name}")
    return result


def _without_baselines(suite: Suite, catalog: Catalog, selection: Selection) -> list[SuiteBlock]:
    chosen = {catalog.strategy(name.removeprefix("+")).ref.name for name in selection.strategies}
    blocks = []
    for block in suite.cells:
        found = [(name, catalog.strategy(name)) for name in block.strategies]
        names = tuple(name for name, one in found if not one.item.is_baseline or one.ref.name in chosen)
        if names:
            blocks.append(msgspec.structs.replace(block, strategies=names))
    return blocks


def _split_added(chosen: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the names that have no plus sign, and the names that have one, with the plus sign removed."""
    named = tuple(name for name in chosen if not name.startswith("+"))
    return named, tuple(name[1:] for name in chosen if name.startswith("+"))


def _split_known(
    suite: Suite, axis: str, named: Sequence[str], canonical: Canonical
) -> tuple[set[str], tuple[str, ...]]:
    """Returns, of the names given, the canonical names of those on an axis of the suite, and the others as given."""
    # Compared with the whole suite and not with the blocks that are left by other options: one option must not change
    # whether a name of another selects or replaces.
    known = {canonical(name) for block in suite.cells for name in getattr(block, axis)} if named else set()
    wanted = {canonical(name): name for name in named}
    return set(wanted) & known, tuple(name for ref, name in wanted.items() if ref not in known)
