"""The details of a strategy that `tlbench show` prints: its search space and first setting for each backbone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tlbench.catalog.catalog import Catalog
from tlbench.catalog.strategy_families import family_of
from tlbench.contracts.backbone import Backbone
from tlbench.contracts.cell import Protocol
from tlbench.contracts.errors import PluginError, UsageError
from tlbench.contracts.fits.task_info import SpaceContext, TaskInfo
from tlbench.contracts.outputs import Classes
from tlbench.contracts.space import Choice, Domain, checked, existing
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Task
from tlbench.planning.needs import declared_needs
from tlbench.planning.space_context import space_about

_MAX_NAMES = 4


def strategy_facts(
    catalog: Catalog, strategy: Strategy, backbone: str | None, task: str | None
) -> Iterator[tuple[str, str]]:
    """Yields labels and texts about a strategy.

    Without a backbone, the search spaces for all installed backbones are shown; backbones with equal ones share a line.

    Raises:
        UsageError: A name is unknown, or the strategy uses no backbone or cannot adapt this one to the task.
    """
    chosen = catalog.task(task).item if task else None
    if backbone and not strategy.uses_backbone:
        raise UsageError(f"--backbone {backbone}: {strategy.name} uses no backbone")
    if backbone or not strategy.uses_backbone:
        backbones: Sequence[Backbone | None] = [catalog.backbone(backbone).item if backbone else None]
    else:
        backbones = [entry.item for entry in catalog.entries("backbone") if _is_adapted(strategy, entry.item, chosen)]
    if backbone and chosen and (reason := strategy.supports(backbones[0], chosen)):
        raise UsageError(f"{strategy.name} with {backbone} on {task}: {reason}")
    yield "family", family_of(strategy)
    yield "backbone", "" if strategy.uses_backbone else "uses none"
    try:
        yield "needs", ", ".join(declared_needs(strategy))
    except PluginError as error:
        yield "needs", f"unknown: {error}"
    yield from _space(strategy, backbones, chosen)
    if strategy.uses_backbone:
        reason = strategy.why_one_device
        yield "devices", f"one, since {reason}" if reason else "several divide its batches (--devices)"
    if strategy.why_whole:
        yield "rungs", f"halving-rungs and hyperband-rungs fit it whole, since {strategy.why_whole}"


def value_text(value: object) -> str:
    """Returns a hyperparameter's value as short text."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _is_adapted(strategy: Strategy, backbone: Backbone, task: Task | None) -> bool:
    try:
        return task is None or (backbone.modality == task.modality and strategy.supports(backbone, task) is None)
    except Exception:
        return False


def _space(strategy: Strategy, backbones: Sequence[Backbone | None], task: Task | None) -> Iterator[tuple[str, str]]:
    # For each hyperparameter, the text of its domain -> the names of the backbones with this text.
    texts: dict[str, dict[str, list[str]]] = {}
    reason, shown = "", 0
    for backbone in backbones or [None]:
        try:
            about = _context(task, backbone)
            space, defaults = strategy.space(about), strategy.defaults(about)
            # The first trial tries the defaults, unless a suite narrows the space.
            first = existing(checked(space), defaults)
        except PluginError as error:
            reason = f"invalid: {error}"
            continue
        except Exception as error:
            reason = f"depends on backbone and task ({type(error).__name__})"
            continue
        shown += 1
        for name, domain in space.items():
            value = f"; first {value_text(first[name])}" if name in first else ""
            names = texts.setdefault(name, {}).setdefault(f"{_domain(domain)}{value}{_conditions(domain)}", [])
            names.append(backbone.name if backbone else "")
    if not texts:
        yield "space", reason or "nothing to search"
    is_same = True
    for name, by_text in texts.items():
        label = f"  {name}"
        for text, names in by_text.items():
            is_same &= len(names) == shown
            yield label, text if len(names) == shown else f"{text} ({_some(names)})"
            label = ""
    if not is_same:
        yield "", f"with another backbone: `tlbench show {strategy.name} --backbone NAME`"


def _context(task: Task | None, backbone: Backbone | None) -> SpaceContext:
    # The space may depend on the task: without one, show that for a task with two classes.
    if task is None:
        return SpaceContext(TaskInfo("any", Classes(("0", "1")), ("accuracy",)), Protocol(), backbone)
    return space_about(task, Protocol(), backbone)


def _some(names: Sequence[str]) -> str:
    if len(names) <= _MAX_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[: _MAX_NAMES - 1])} and {len(names) - _MAX_NAMES + 1} more"


def _domain(domain: Domain) -> str:
    if isinstance(domain, Choice):
        return "one of " + ", ".join(map(value_text, domain.values))
    scale = ", log" if domain.log else ""
    return f"{value_text(domain.low)} to {value_text(domain.high)}{scale}"


def _conditions(domain: Domain) -> str:
    """Returns the conditions under which a hyperparameter exists, as "; if optimizer is sgd"; empty without any."""
    return "; if " + " and ".join(map(str, domain.when)) if domain.when else ""
