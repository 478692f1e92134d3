"""What a strategy needs beside its backbone and task: a teacher, or another task's data."""

from __future__ import annotations

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
        PluginError: A need that is neither a backbone nor a task.
    """
    refs = []
    for need in strategy.needs():
        try:
            refs.append(need_ref(catalog, need))
        except UsageError as error:
            return f"it needs {need}: {error}", ()
        if reason := _why_not(catalog, need, task, here):
            return f"it needs {need}: {reason}", ()
    return None, tuple(refs)


def need_ref(catalog: Catalog, need: str) -> Ref:
    """Returns a need as part of a cell's identity: "backbone:toy" with the version that it has.

    Raises:
        PluginError: It is neither a backbone nor a task.
        UsageError: There is none of this name.
    """
    kind, _, name = need.partition(":")
    if kind not in KINDS:
        raise PluginError(f"needs() says {need!r}, which is neither backbone:<name> nor task:<name>")
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
