"""Resolves the needs of strategies: other backbones (teachers) and other tasks (intermediate training)."""

from __future__ import annotations

from collections.abc import Sequence

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Ref
from tlbench.contracts.errors import PluginError, UsageError
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Task

KINDS = ("backbone", "task")


def needed_by(strategy: Strategy, task: Task, catalog: Catalog, here: bool) -> tuple[str | None, tuple[Ref, ...]]:
    """Returns a pair: why a strategy's needs cannot be met on a task (None if they can), and the needs as references.

    Args:
        strategy: The strategy.
        task: The task to fit; teachers must have its modality.
        catalog: The installed plugins.
        here: Whether a need counts as unmet if its data or weights are missing on this machine.

    Raises:
        PluginError: needs() raises, or returns something else than names of backbones and tasks.
    """
    refs = []
    for need in declared_needs(strategy):
        try:
            refs.append(need_ref(catalog, need))
        except UsageError as error:
            return f"it needs {need}: {error}", ()
        if reason := _why_unmet(strategy, catalog, need, task, here):
            return f"it needs {need}: {reason}", ()
    return None, tuple(refs)


def own_task(needs: Sequence[Ref], task: str) -> str | None:
    """Returns an error message if the needs include the task that the strategy is fitted on, and None otherwise.

    Needed tasks are passed with all training examples, so a fit would see labels beyond the protocol's `train_limit`.
    """
    if f"task:{task}" not in {need.name for need in needs}:
        return None
    return f"it needs task:{task}, the task it is fitted on: its examples are in job.train, so let needs() name others"


def declared_needs(strategy: Strategy) -> tuple[str, ...]:
    """Returns the validated result of a strategy's needs().

    Raises:
        PluginError: needs() raises, or returns something else than names of backbones and tasks.
    """
    expected = 'a tuple such as ("backbone:toy", "task:mnli")'
    try:
        needs = strategy.needs()
    # A plugin that calls sys.exit must not end the command.
    except (Exception, SystemExit) as error:
        raise PluginError(f"{strategy.name}: needs() raised {type(error).__name__}: {error}") from error
    # A bare str has usually lost its comma: ("backbone:toy") is no tuple.
    if not isinstance(needs, tuple | list) or not all(isinstance(need, str) for need in needs):
        raise PluginError(f"{strategy.name}: needs() returned {needs!r:.80}, not {expected}")
    for need in needs:
        kind, _, name = need.partition(":")
        if kind not in KINDS or not name.strip():
            raise PluginError(
                f"{strategy.name}: needs() says {need!r:.80}, which is neither backbone:<name> nor task:<name>"
            )
        # Needs are part of a cell's id and are displayed.
        if not need.isprintable():
            raise PluginError(f"{strategy.name}: needs() says {need!r:.80}, which holds control characters")
    return tuple(needs)


def need_ref(catalog: Catalog, need: str) -> Ref:
    """Returns the name and the version of a need such as "backbone:toy"; both are part of a cell's id.

    Raises:
        UsageError: No such backbone or task is installed.
    """
    kind, _, name = need.partition(":")
    ref = catalog.backbone(name).ref if kind == "backbone" else catalog.task(name).ref
    return Ref(f"{kind}:{ref.name}", ref.version)


def _why_unmet(strategy: Strategy, catalog: Catalog, need: str, task: Task, here: bool) -> str | None:
    kind, _, name = need.partition(":")
    if kind == "backbone":
        backbone = catalog.backbone(name).item
        if backbone.modality != task.modality:
            return f"it reads {backbone.modality} and the task is {task.modality}"
        reason = (backbone.missing() if here else None) or backbone.supports(task.output)
        return reason or strategy.accepts(need, backbone, task)
    other = catalog.task(name).item
    if other.modality != task.modality:
        return f"it is {other.modality} and the task is {task.modality}"
    return (other.missing() if here else None) or strategy.accepts(need, other, task)
