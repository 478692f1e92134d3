"""suite x catalog -> cells and skips. Pure, and quick: a hundred thousand cells in seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from tlbench.catalog.catalog import Catalog, Found
from tlbench.catalog.names import parse
from tlbench.contracts.backbone import Backbone
from tlbench.contracts.cell import Cell, Plan, Protocol, Ref, Skip
from tlbench.contracts.errors import PluginError, SuiteError, UsageError
from tlbench.contracts.space import Override, is_fixed, narrow
from tlbench.contracts.strategy import About, Strategy, TaskInfo
from tlbench.contracts.task import Task
from tlbench.planning.capacity import Room, Sizes, too_large
from tlbench.planning.needs import needed_by, own_task
from tlbench.planning.suite import Patch, Suite, SuiteBlock

Canonical: TypeAlias = Callable[[str], str]


@dataclass(frozen=True)
class Selection:
    """What the command line adds to a suite or puts in place of it.

    A name that the suite has on that axis selects its cells; a name that it lacks takes the place of the axis; a name
    with a plus sign before it is added to the axis.
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
    """Returns the cells of the suite in the order to run them, and the combinations that cannot be run.

    Args:
        suite: What is asked.
        catalog: What is installed.
        selection: What the command line says of it.
        room: How much memory there is; None where nothing is to be skipped for its size.
        here: Whether a task whose data are not on this machine is skipped.

    Raises:
        UsageError: An unknown or ambiguous name, or a space that does not fit.
    """
    selection = selection or Selection()
    planner = _Planner(suite, catalog, selection.protocol, room, here)
    blocks = _select(suite, catalog, selection)
    cells: dict[str, Cell] = {}
    skips: dict[Skip, None] = {}
    for block in blocks:
        for planned in planner.block(block):
            if isinstance(planned, Skip):
                skips[planned] = None
            else:
                cells.setdefault(planned.id, planned)
    if not cells and not skips:
        raise UsageError(f"suite {suite.name}: it has no cell of this selection; +NAME adds one to an axis")
    return Plan(suite.name, tuple(cells.values()), tuple(skips))


def task_info(task: Task) -> TaskInfo:
    """Returns what a strategy may know of a task."""
    return TaskInfo(task.name, task.output, task.metrics, task.positive)


def space_about(task: Task, protocol: Protocol, backbone: Backbone | None) -> About:
    """Returns what a strategy's space may depend on."""
    return About(task_info(task), protocol, backbone)


class _Planner:
    """Looks every name up once and every combination of it checked once."""

    def __init__(self, suite: Suite, catalog: Catalog, last: Patch, room: Room | None, here: bool) -> None:
        self._suite, self._catalog, self._last, self._room, self._here = suite, catalog, last, room, here
        self._narrowed: dict[tuple[str, str, str], None] = {}
        self._needed: dict[tuple[str, str], tuple[str | None, tuple[Ref, ...]]] = {}
        self._sizes = Sizes()
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
        spaces = {found.ref.name: self._space(found.ref.name, base) for found, base in strategies}
        for strategy, _ in strategies:
            if strategy.item.uses_backbone and not backbones:
                raise SuiteError(
                    f"suite {self._suite.name}: {strategy.ref.name} needs a backbone, and its block has none"
                )
        # Neighbours share a backbone and a task, so that a warm worker keeps weights, tokens and activations.
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
            reason = self._unscored(task.item) or _why_not(item, task.item, strategy.item, self._here)
            reason = reason or self._too_large(backbone, task, strategy)
            reason, needs = (reason, ()) if reason else self._needs(strategy, task)
            if space and not reason:
                self._check_space(item, task, strategy, protocol, space)
        except UsageError:
            raise
        except PluginError as error:
            reason = str(error)
        except (Exception, SystemExit) as error:
            reason = (
                f"{strategy.ref.name} ({strategy.distribution}) failed while planning: {type(error).__name__}: {error}"
            )
        if reason:
            return Skip(title, " ".join(reason.split()))
        if protocol.is_searched and self._is_settled(item, task, strategy, protocol, space):
            # However many trials were granted there is one: more of them make no other cell of it.
            protocol = msgspec.structs.replace(protocol, trials=1)
        return Cell(task.ref, strategy.ref, protocol, backbone.ref if backbone else None, needs, space)

    def _needs(self, strategy: Found[Strategy], task: Found[Task]) -> tuple[str | None, tuple[Ref, ...]]:
        """Returns why a strategy cannot have what it needs, or None, and what that is."""
        key = strategy.ref.name, task.item.modality
        if key not in self._needed:
            self._needed[key] = needed_by(strategy.item, task.item, self._catalog, self._here)
        reason, needs = self._needed[key]
        return reason or own_task(needs, task.ref.name), needs

    def _unscored(self, task: Task) -> str | None:
        """Returns why the task's metrics cannot score it, or None."""
        for name in task.metrics:
            try:
                metric = self._catalog.metric(name)
            except UsageError as error:
                return str(error)
            try:
                supports = metric.supports(task.output)
            except (Exception, SystemExit) as error:
                why = " ".join(f"{type(error).__name__}: {error}".split())
                return f"the metric {name} cannot say whether it scores {type(task.output).__name__}: {why}"
            if not supports:
                return f"the metric {name} does not score {type(task.output).__name__}"
        return None

    def _too_large(self, backbone: Found[Backbone] | None, task: Found[Task], strategy: Found[Strategy]) -> str | None:
        if self._room is None or backbone is None:
            return None
        return too_large(self._sizes.of(backbone, task, strategy), self._room)

    def _space(self, strategy: str, base: str) -> dict[str, Override]:
        """Returns a strategy's overrides; those under its full name win over those under its base name.

        Either may stand with its distribution or without.
        """
        general: dict[str, Override] = {}
        full: dict[str, Override] = {}
        plain = self._catalog.strategy(base).ref.name
        for name, overrides in self._suite.space.items():
            found = self._catalog.strategy(name).ref.name
            if name == parse(name)[0] and found == plain:
                general |= overrides
            elif found == strategy:
                full |= overrides
        return {**general, **full}

    def _check_space(
        self,
        backbone: Backbone | None,
        task: Found[Task],
        strategy: Found[Strategy],
        protocol: Protocol,
        space: dict[str, Override],
    ) -> None:
        key = (backbone.name if backbone else "", task.ref.name, strategy.ref.name)
        if key in self._narrowed:
            return
        about = space_about(task.item, protocol, backbone)
        try:
            narrow(strategy.item.space(about), space)
        except ValueError as error:
            raise SuiteError(f"suite {self._suite.name}: space.{strategy.ref.name}.{error}") from None
        self._narrowed[key] = None

    def _is_settled(
        self,
        backbone: Backbone | None,
        task: Found[Task],
        strategy: Found[Strategy],
        protocol: Protocol,
        space: dict[str, Override],
    ) -> bool:
        """Says whether a strategy has one setting and no other, so that there is nothing to search."""
        try:
            domains = narrow(strategy.item.space(space_about(task.item, protocol, backbone)), space)
            return all(is_fixed(domain) for domain in domains.values())
        except (Exception, SystemExit):
            return False  # the cell reports it when it runs


def _why_not(backbone: Backbone | None, task: Task, strategy: Strategy, here: bool) -> str | None:
    if here and (missing := _answer(task, "missing()", task.missing)):
        return missing
    if backbone is not None and backbone.modality != task.modality:
        return f"the backbone reads {backbone.modality} and the task is {task.modality}"
    if backbone is not None and (reason := _answer(backbone, "supports()", lambda: backbone.supports(task.output))):
        return reason
    return _answer(strategy, "supports()", lambda: strategy.supports(backbone, task))


def _answer(item: Backbone | Task | Strategy, method: str, ask: Callable[[], object]) -> str | None:
    """Returns the reason that a plugin's method gives, or None.

    Raises:
        PluginError: It raised, or gave something that is no reason.
    """
    try:
        reason = ask()
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(f"{item.name}: {method} raised {type(error).__name__}: {error}") from error
    if reason is None or isinstance(reason, str):
        return reason
    raise PluginError(f"{item.name}: {method} returned {reason!r:.80}: it returns why not, in words, or None")


def _select(suite: Suite, catalog: Catalog, selection: Selection) -> list[SuiteBlock]:
    blocks = list(suite.cells)
    blocks = _choose(suite, blocks, "tasks", selection.tasks, lambda name: catalog.task(name).ref.name)
    blocks = _choose(suite, blocks, "backbones", selection.backbones, lambda name: catalog.backbone(name).ref.name)
    return _choose_strategies(suite, blocks, selection.strategies, lambda name: catalog.strategy(name).ref.name)


def _choose(
    suite: Suite, blocks: list[SuiteBlock], axis: str, chosen: Sequence[str], canonical: Canonical
) -> list[SuiteBlock]:
    named, added = _split(chosen)
    keep, new = _known(suite, axis, named, canonical)
    result = []
    for block in blocks:
        names: tuple[str, ...] = getattr(block, axis)
        if axis == "backbones" and not names:
            result.append(block)  # the block of a baseline, which stands in every table
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
    named, added = _split(chosen)
    keep, new = _known(suite, "strategies", named, canonical)
    result = blocks
    if named:
        kept = ((block, tuple(n for n in block.strategies if canonical(n) in keep)) for block in blocks)
        # A trivial baseline stands in every table.
        kept = ((block, names or (() if block.backbones else block.strategies)) for block, names in kept)
        result = [msgspec.structs.replace(block, strategies=names) for block, names in kept if names]
    if strategies := (*new, *added):
        # What the suite has no block for runs on all it names, under the suite's own protocol.
        backbones = tuple(dict.fromkeys(name for block in blocks for name in block.backbones))
        tasks = tuple(dict.fromkeys(name for block in blocks for name in block.tasks))
        result = [*result, SuiteBlock(tasks=tasks, strategies=strategies, backbones=backbones)]
    return result


def _split(chosen: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    named = tuple(name for name in chosen if not name.startswith("+"))
    return named, tuple(name[1:] for name in chosen if name.startswith("+"))


def _known(suite: Suite, axis: str, named: Sequence[str], canonical: Canonical) -> tuple[set[str], tuple[str, ...]]:
    # Of the whole suite, whatever the other axes have left of it: a name must not mean another thing beside others.
    known = {canonical(name) for block in suite.cells for name in getattr(block, axis)} if named else set()
    wanted = {canonical(name): name for name in named}
    return set(wanted) & known, tuple(name for ref, name in wanted.items() if ref not in known)
