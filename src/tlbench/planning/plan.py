"""Turns a suite into a plan: the cells to run in their order, and the combinations to skip with a reason.

A plan depends on the suite, the installed plugins and the command line, and on no results: what is already finished is
the run's concern. It loads no model, and takes seconds for a hundred thousand cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from tlbench.catalog.catalog import Catalog, Found
from tlbench.catalog.names import parse
from tlbench.contracts.backbone import Backbone
from tlbench.contracts.cell import Cell, Plan, Protocol, Ref, Skip
from tlbench.contracts.errors import SuiteError, UsageError
from tlbench.contracts.space import Override, is_fixed, narrow
from tlbench.contracts.strategy import About, Strategy, TaskInfo
from tlbench.contracts.task import Task
from tlbench.planning.capacity import Room, Sizes, too_large
from tlbench.planning.needs import needed_by
from tlbench.planning.suite import Patch, Suite, SuiteBlock

Canonical: TypeAlias = Callable[[str], str]
"""Returns the canonical name of a task, backbone or strategy."""


@dataclass(frozen=True)
class Selection:
    """The names and the protocol fields that the command line applies to a suite.

    On each axis (backbones, tasks, strategies) a name that is in the suite selects its cells, a name that is not
    replaces the axis, and a name with a plus sign before it is added to the axis.
    """

    backbones: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    protocol: Patch = field(default_factory=Patch)


def plan(
    suite: Suite,
    catalog: Catalog,
    selection: Selection | None = None,
    room: Room | None = None,
    *,
    here: bool = True,
) -> Plan:
    """Returns the cells of a suite in the order to run them, and the combinations that cannot be run.

    Args:
        suite: Blocks, protocol and spaces.
        catalog: The installed plugins.
        selection: Options of the command line; None to plan the suite as it is.
        room: Memory of a worker; None to skip nothing because of its size.
        here: Whether to skip tasks whose data is not on this machine.

    Raises:
        UsageError: An unknown or ambiguous name, an invalid protocol or space, or a selection without any cell.
    """
    selection = selection or Selection()
    planner = _Planner(suite, catalog, selection.protocol, room, here)
    blocks = _select(suite, catalog, selection)
    # Dictionaries remove duplicates and keep the order: two blocks may contain the same combination.
    cells: dict[str, Cell] = {}
    skips: dict[Skip, None] = {}
    for block in blocks:
        for planned in planner.block(block):
            if isinstance(planned, Skip):
                skips[planned] = None
            else:
                cells.setdefault(planned.id, planned)
    if not cells and not skips:
        raise UsageError(f"suite {suite.name}: no cell matches this selection; +NAME adds a name to an axis")
    return Plan(suite.name, tuple(cells.values()), tuple(skips))


def task_info(task: Task) -> TaskInfo:
    """Returns the facts about a task that a strategy may read: nothing of its examples."""
    return TaskInfo(task.name, task.output, task.metrics, task.positive)


def space_about(task: Task, protocol: Protocol, backbone: Backbone | None) -> About:
    """Returns the argument of `Strategy.space` and `Strategy.defaults`."""
    return About(task_info(task), protocol, backbone)


class _Planner:
    """Plans the blocks of one suite; caches each check, since most cells differ from their neighbours in one name."""

    def __init__(self, suite: Suite, catalog: Catalog, last: Patch, room: Room | None, here: bool) -> None:
        self._suite, self._catalog, self._last, self._room, self._here = suite, catalog, last, room, here
        self._checked_spaces: set[tuple[str, str, str]] = set()
        self._needs_of: dict[tuple[str, str], tuple[str | None, tuple[Ref, ...]]] = {}
        self._sizes = Sizes()
        # Also for a strategy that no block uses: a misspelt [space.x] must not be ignored.
        for name in suite.space:
            try:
                catalog.strategy(name)
            except UsageError as error:
                raise SuiteError(f"suite {suite.name}: space.{name}: {error}") from None

    def block(self, block: SuiteBlock) -> Iterator[Cell | Skip]:
        try:
            protocol = self._suite.protocol_of(block, self._last)
        except (msgspec.ValidationError, ValueError) as error:
            raise UsageError(f"protocol: {error}") from None
        catalog = self._catalog
        tasks = [catalog.task(name) for name in block.tasks]
        strategies = [(catalog.strategy(name), parse(name)[0]) for name in block.strategies]
        backbones = [catalog.backbone(name) for name in block.backbones]
        spaces = {strategy.ref.name: self._overrides(strategy.ref.name, base) for strategy, base in strategies}
        for strategy, _ in strategies:
            if strategy.item.uses_backbone and not backbones:
                raise SuiteError(
                    f"suite {self._suite.name}: {strategy.ref.name} needs a backbone, and its block has none"
                )
        # Baselines first, once per task and not once per backbone. Then neighbours share a backbone and a task, so that
        # a worker can keep weights, tokens and activations from one cell to the next.
        for task in tasks:
            for strategy, _ in strategies:
                if not strategy.item.uses_backbone:
                    yield self._cell(None, task, strategy, protocol, spaces[strategy.ref.name])
        for backbone in backbones:
            for task in tasks:
                for strategy, _ in strategies:
                    if strategy.item.uses_backbone:
                        yield self._cell(backbone, task, strategy, protocol, spaces[strategy.ref.name])

    def _cell(
        self,
        backbone: Found[Backbone] | None,
        task: Found[Task],
        strategy: Found[Strategy],
        protocol: Protocol,
        space: dict[str, Override],
    ) -> Cell | Skip:
        item = backbone.item if backbone else None
        title = f"{backbone.ref.name if backbone else '-'} | {task.ref.name} | {strategy.ref.name}"
        try:
            reason = self._unsupported_metric(task.item) or _why_not(item, task.item, strategy.item, self._here)
            reason = reason or self._too_large(backbone, task, strategy)
            reason, needs = (reason, ()) if reason else self._needs(strategy, task.item)
            if space and not reason:
                self._check_space(item, task, strategy, protocol, space)
        except UsageError:
            # A mistake in the suite, which ends the command; anything else is a plugin's, and costs its own cells.
            raise
        except (Exception, SystemExit) as error:
            reason = f"{strategy.distribution} failed while planning: {type(error).__name__}: {error}"
        if reason:
            return Skip(title, " ".join(reason.split()))
        if protocol.is_searched and self._has_one_setting(item, task, strategy, protocol, space):
            # With one setting, more trials change nothing: `--trials` must not give a baseline another identity.
            protocol = msgspec.structs.replace(protocol, trials=1)
        return Cell(task.ref, strategy.ref, protocol, backbone.ref if backbone else None, needs, space)

    def _needs(self, strategy: Found[Strategy], task: Task) -> tuple[str | None, tuple[Ref, ...]]:
        """Returns the reason why a need of the strategy is not available, or None, and all its needs."""
        # Of a task `needed_by` reads the modality alone.
        key = strategy.ref.name, task.modality
        if key not in self._needs_of:
            self._needs_of[key] = needed_by(strategy.item, task, self._catalog, self._here)
        return self._needs_of[key]

    def _unsupported_metric(self, task: Task) -> str | None:
        """Returns why one of the task's metrics is unknown or cannot score its output, or None."""
        for name in task.metrics:
            try:
                metric = self._catalog.metric(name)
            except UsageError as error:
                return str(error)
            if not metric.supports(task.output):
                return f"the metric {name} does not score {type(task.output).__name__}"
        return None

    def _too_large(self, backbone: Found[Backbone] | None, task: Found[Task], strategy: Found[Strategy]) -> str | None:
        if self._room is None or backbone is None:
            return None
        return too_large(self._sizes.of(backbone, task, strategy), self._room)

    def _overrides(self, strategy: str, base: str) -> dict[str, Override]:
        """Returns the suite's overrides of a strategy's space.

        Those for the strategy with exactly these parameters win over those for its name without parameters.

        Args:
            strategy: Canonical name, with parameters.
            base: Name as the suite has it, without parameters.
        """
        general: dict[str, Override] = {}
        specific: dict[str, Override] = {}
        # Canonical names are compared, since a suite may write one strategy with its distribution and without.
        canonical_base = self._catalog.strategy(base).ref.name
        for name, overrides in self._suite.space.items():
            canonical_name = self._catalog.strategy(name).ref.name
            if name == parse(name)[0] and canonical_name == canonical_base:
                general |= overrides
            elif canonical_name == strategy:
                specific |= overrides
        return {**general, **specific}

    def _check_space(
        self,
        backbone: Backbone | None,
        task: Found[Task],
        strategy: Found[Strategy],
        protocol: Protocol,
        space: dict[str, Override],
    ) -> None:
        key = (backbone.name if backbone else "", task.ref.name, strategy.ref.name)
        if key in self._checked_spaces:
            return
        about = space_about(task.item, protocol, backbone)
        try:
            narrow(strategy.item.space(about), space)
        except ValueError as error:
            raise SuiteError(f"suite {self._suite.name}: space.{strategy.ref.name}.{error}") from None
        self._checked_spaces.add(key)

    def _has_one_setting(
        self,
        backbone: Backbone | None,
        task: Found[Task],
        strategy: Found[Strategy],
        protocol: Protocol,
        space: dict[str, Override],
    ) -> bool:
        """Returns whether all hyperparameters are fixed, so that there is nothing to search."""
        try:
            domains = narrow(strategy.item.space(space_about(task.item, protocol, backbone)), space)
            return all(is_fixed(domain) for domain in domains.values())
        except (Exception, SystemExit):
            # A plugin's mistake in `space`: the cell runs, and its record reports the exception.
            return False


def _why_not(backbone: Backbone | None, task: Task, strategy: Strategy, here: bool) -> str | None:
    """Returns why a combination cannot run, or None; the reason that the user can act on comes first."""
    if here and (missing := task.missing()):
        return missing
    if backbone is not None and backbone.modality != task.modality:
        return f"the backbone reads {backbone.modality} and the task is {task.modality}"
    if backbone is not None and (reason := backbone.supports(task.output)):
        return reason
    return strategy.supports(backbone, task)


def _select(suite: Suite, catalog: Catalog, selection: Selection) -> list[SuiteBlock]:
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
    """Returns the names without a plus sign, and those with one, without it."""
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
