"""What a strategy needs beside its backbone and task: a teacher, or another task's data."""

from __future__ import annotations

from collections.abc import Sequence

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Ref
from tlbench.contracts.errors import PluginError, UsageError
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Task

KINDS = ("backbone", "task")


def needed_by(strategy: Strategy, task: Task, catalog: Catalog, here: bool) -> tuple[str | None, tuple[Ref, ...]]:
    """Returns why a strategy cannot have what it needs on a task, or None, and what that is, as a cell has it.

    Args:
        strategy: Whose needs.
        task: Whose examples a teacher reads.
        catalog: What is installed.
        here: Whether data that are not on this machine are a reason.

    Raises:
        PluginError: Its needs() raised, or names something that is neither a backbone nor a task.
    """
    refs = []
    for need in declared_needs(strategy):
        try:
            refs.append(need_ref(catalog, need))
        except UsageError as error:
            return f"it needs {need}: {error}", ()
        if reason := _why_not(catalog, need, task, here):
            return f"it needs {need}: {reason}", ()
    return None, tuple(refs)


def own_task(needs: Sequence[Ref], task: str) -> str | None:
    """Returns why a strategy cannot need the task that it is fitted on, or None where it does not.

    Another task's data are given whole: a fit would see the labels that the protocol's `train_limit` keeps from it.
    """
    if f"task:{task}" not in {need.name for need in needs}:
        return None
    return f"it needs task:{task}, the task it is fitted on: its examples are in job.train, so let needs() name others"


def declared_needs(strategy: Strategy) -> tuple[str, ...]:
    """Returns what a strategy's needs() names.

    Raises:
        PluginError: It raised, or returned something else than names of backbones and tasks.
    """
    wanted = 'a tuple such as ("backbone:toy", "task:mnli")'
    try:
        needs = strategy.needs()
    except (Exception, SystemExit) as error:
        raise PluginError(f"{strategy.name}: needs() raised {type(error).__name__}: {error}") from error
    if not isinstance(needs, tuple | list) or not all(isinstance(need, str) for need in needs):
        raise PluginError(f"{strategy.name}: needs() returned {needs!r:.80}, not {wanted}")
    for need in needs:
        kind, _, name = need.partition(":")
        if kind not in KINDS or not name.strip():
            raise PluginError(
                f"{strategy.name}: needs() says {need!r:.80}, which is neither backbone:<name> nor task:<name>"
            )
        if not need.isprintable():
            raise PluginError(f"{strategy.name}: needs() says {need!r:.80}, which holds control characters")
    return tuple(needs)


def need_ref(catalog: Catalog, need: str) -> Ref:
    """Returns a need as part of a cell's identity: "backbone:toy" with the version that it has.

    Raises:
        UsageError: There is none of this name.
    """
    kind, _, name = need.partition(":")
    ref = catalog.backbone(name).ref if kind == "backbone" else catalog.task(name).ref
    return Ref(f"{kind}:{ref.name}", ref.version)


def _why_not(catalog: Catalog, need: str, task: Task, here: bool) -> str | None:
    kind, _, name = need.partition(":")
    if kind == "backbone":
        modality = catalog.backbone(name).item.modality
        return None if modality == task.modality else f"it reads {modality} and the task is {task.modality}"
    other = catalog.task(name).item
    if other.modality != task.modality:
        return f"it is {other.modality} and the task is {task.modality}"
    return other.missing() if here else None
