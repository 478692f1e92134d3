"""Turns a suite into a plan: the cells to run in their order, and the combinations to skip with a reason.

A plan depends on the suite, the installed plugins and the command line, but not on results: only a run looks up which
cells are already finished. Planning loads no model, and takes seconds for a hundred thousand cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import msgspec

from tlbench.catalog.catalog import Catalog, Found
from tlbench.catalog.names import parse
from tlbench.catalog.unknown_names import misplaced_hyperparameter_hint
from tlbench.contracts.backbone import Backbone
from tlbench.contracts.cell import Cell, Plan, Protocol, Ref, Skip
from tlbench.contracts.errors import PluginError, SuiteError, UsageError
from tlbench.contracts.space import Override, is_fixed, narrow
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Task
from tlbench.data.subsets import no_shots
from tlbench.planning.capacity import Room, Sizes, devices_of, too_large
from tlbench.planning.needs import needed_by, own_task
from tlbench.planning.presence import Presence, reason_of
from tlbench.planning.published.planned_references import references_of
from tlbench.planning.selection import Selection, select_blocks
from tlbench.planning.settings import apply_settings
from tlbench.planning.space_context import space_about
from tlbench.planning.suite import Patch, Suite, SuiteBlock


def plan(
    suite: Suite,
    catalog: Catalog,
    selection: Selection | None = None,
    room: Room | None = None,
    *,
    here: bool = True,
    fetch: bool = False,
) -> Plan:
    """Returns the cells of a suite in the order to run them, and the combinations that cannot be run.

    Args:
        suite: Blocks, protocol and spaces.
        catalog: The installed plugins.
        selection: Options of the command line; None to plan the suite as it is.
        room: Memory of a worker; None to skip nothing because of its size.
        here: Whether to skip tasks whose data, and backbones whose weights, are not on this machine.
        fetch: Whether to download weights that are not on this machine before their backbone is skipped.

    Raises:
        UsageError: An unknown or ambiguous name, an invalid protocol or space, or a selection without any cell.
    """
    selection = selection or Selection()
    blocks = select_blocks(suite, catalog, selection)
    applied = apply_settings(selection.settings, suite, blocks, selection.protocol, catalog)
    planner = _Planner(applied.suite, catalog, applied.protocol, room, Presence(here, fetch))
    # Dictionaries remove duplicates and keep the order: two blocks may contain the same combination.
    cells: dict[str, Cell] = {}
    skips: dict[Skip, None] = {}
    for block in applied.blocks:
        for planned in planner.block(block):
            if isinstance(planned, Skip):
                skips[planned] = None
            else:
                cells.setdefault(planned.id, planned)
    if not cells and not skips:
        raise UsageError(f"suite {suite.name}: no cell matches this selection; +NAME adds a name to an axis")
    return Plan(suite.name, tuple(cells.values()), tuple(skips), references_of(suite, catalog, cells))


class _Planner:
    """Plans the blocks of one suite; caches each check, since most cells differ from their neighbours in one name."""

    def __init__(self, suite: Suite, catalog: Catalog, last: Patch, room: Room | None, presence: Presence) -> None:
        self._suite, self._catalog, self._last, self._room = suite, catalog, last, room
        self._presence, self._here = presence, presence.here
        self._checked_spaces: set[tuple[str, str, str]] = set()
        self._unfit_tasks: dict[str, str | None] = {}
        self._needs_of: dict[tuple[str, str], tuple[str | None, tuple[Ref, ...]]] = {}
        self._sizes = Sizes(catalog)
        # Also for a strategy that no block uses: a misspelt [space.x] must not be ignored.
        for name in suite.space:
            try:
                catalog.strategy(name)
            except UsageError as error:
                raise SuiteError(f"suite {suite.name}: space.{name}: {error}") from None

    def block(self, block: SuiteBlock) -> Iterator[Cell | Skip]:
        try:
            protocols = self._suite.protocols_of(block, self._last)
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
        for backbone in (None, *backbones):
            for task, protocol, (strategy, _) in product(tasks, protocols, strategies):
                if strategy.item.uses_backbone == (backbone is not None):
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
            reason = self._unfit_task(task) or _why_not(item, task.item, strategy.item)
            reason = reason or (self._presence.missing(item) if item else None)
            reason = reason or (no_shots(task.item.output) if protocol.shots else None)
            reason = reason or _no_validation(strategy.item, protocol)
            reason = reason or _no_unlabeled(strategy.item, task.item, protocol)
            reason, needs = (reason, ()) if reason else self._needs(strategy, task)
            # Last, since the estimate counts the backbones that are needed.
            reason = reason or self._too_large(backbone, task, strategy)
            if space and not reason:
                self._check_space(item, task, strategy, protocol, space)
            ref = Ref(strategy.ref.name, strategy.item.version_for(item, task.item))
        except UsageError:
            # A mistake in the suite ends the command; any other exception is a plugin's, and only skips this cell.
            raise
        except PluginError as error:
            reason = str(error)
        except (Exception, SystemExit) as error:
            reason = (
                f"{strategy.ref.name} ({strategy.distribution}) failed while planning: {type(error).__name__}: {error}"
            )
        if reason:
            return Skip(title, " ".join(reason.split()))
        if protocol.is_searched and self._has_one_setting(item, task, strategy, protocol, space):
            # With one setting, more trials change nothing: `--trials` must not give a baseline another identity.
            protocol = msgspec.structs.replace(protocol, trials=1)
        return Cell(task.ref, ref, protocol, backbone.ref if backbone else None, needs, space)

    def _needs(self, strategy: Found[Strategy], task: Found[Task]) -> tuple[str | None, tuple[Ref, ...]]:
        """Returns a pair: why the strategy's needs cannot be met (None if they can), and the needs as references."""
        # `needed_by` itself depends on the task only by its modality and output.
        decides = type(strategy.item).accepts is not Strategy.accepts
        key = strategy.ref.name, task.ref.name if decides else f"{task.item.modality} {task.item.output!r}"
        if key not in self._needs_of:
            self._needs_of[key] = needed_by(strategy.item, task.item, self._catalog, self._here)
        reason, needs = self._needs_of[key]
        return reason or own_task(needs, task.ref.name), needs

    def _unfit_task(self, task: Found[Task]) -> str | None:
        """Returns why no strategy can run on the task, or None."""
        name = task.ref.name
        if name not in self._unfit_tasks:
            reason = self._unsupported_metric(task.item)
            if reason is None and self._here:
                reason = reason_of(task.item, "missing()", task.item.missing)
            self._unfit_tasks[name] = reason
        return self._unfit_tasks[name]

    def _unsupported_metric(self, task: Task) -> str | None:
        """Returns why one of the task's metrics is unknown or cannot score its output, or None."""
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
        devices = devices_of(strategy.ref.name, self._catalog, self._room.devices)
        return too_large(self._sizes.of(backbone, task, strategy), self._room, devices)

    def _overrides(self, strategy: str, base: str) -> dict[str, Override]:
        """Returns the suite's overrides of a strategy's space.

        Overrides for the strategy with exactly these parameters replace those for its name without parameters.

        Args:
            strategy: Canonical name, with parameters.
            base: Name as written in the suite, without parameters.
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
        except PluginError:
            pass  # the cell runs, and its record reports the mistake
        except ValueError as error:
            hint = misplaced_hyperparameter_hint(strategy.item, strategy.ref.name, str(error).partition(":")[0])
            raise SuiteError(f"suite {self._suite.name}: space.{strategy.ref.name}.{error}{hint}") from None
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
            domains = strategy.item.space(space_about(task.item, protocol, backbone))
            # Most spaces have a hyperparameter that is free whatever the suite says of others, which is soon seen.
            if any(not domain.when and not is_fixed(domain) for name, domain in domains.items() if name not in space):
                return False
            return all(is_fixed(domain) for domain in narrow(domains, space).values())
        except (Exception, SystemExit):
            # A plugin's mistake in `space`: the cell runs, and its record reports the exception.
            return False


def _no_validation(strategy: Strategy, protocol: Protocol) -> str | None:
    """Returns why the strategy cannot run final fits without a validation split, or None if it can or need not."""
    if not (strategy.needs_validation and protocol.trains_on_validation):
        return None
    option = "final=train+validation" if protocol.folds is None else f"folds={protocol.folds}"
    return f"{strategy.name} reads the validation split in every fit, and {option} leaves none to the final fits"


def _no_unlabeled(strategy: Strategy, task: Task, protocol: Protocol) -> str | None:
    """Returns why there is nothing unlabelled for a strategy that reads it, or None if there may be."""
    if not strategy.needs_unlabeled or task.unlabeled_like != "none":
        return None
    amount = protocol.amount
    if any(one is not None for one in (amount.limit, amount.shots, amount.fraction)):
        return None
    return (
        f"{strategy.name} learns from unlabelled examples too, and {task.name} has none; with a train_limit, "
        "train_fraction or shots, the training examples left out become unlabelled"
    )


def _why_not(backbone: Backbone | None, task: Task, strategy: Strategy) -> str | None:
    """Returns why a combination cannot run, or None; the reason that the user can act on comes first."""
    if backbone is not None and backbone.modality != task.modality:
        return f"the backbone reads {backbone.modality} and the task is {task.modality}"
    if backbone is not None and (reason := reason_of(backbone, "supports()", lambda: backbone.supports(task.output))):
        return reason
    return reason_of(strategy, "supports()", lambda: strategy.supports(backbone, task))
