"""Builds the description of a cell that a strategy receives when it declares its search space."""

from __future__ import annotations

from tlbench.contracts.backbone import Backbone
from tlbench.contracts.cell import Protocol
from tlbench.contracts.fits.task_info import SpaceContext, TaskInfo
from tlbench.contracts.task import Task


def task_info(task: Task) -> TaskInfo:
    """Returns the facts about a task that a strategy may read, none of which depend on the task's examples."""
    return TaskInfo(task.name, task.output, task.metrics, task.positive, task.pairs)


def space_about(task: Task, protocol: Protocol, backbone: Backbone | None) -> SpaceContext:
    """Returns what a strategy may read to choose its space and defaults."""
    return SpaceContext(task_info(task), protocol, backbone)
