"""The hooks that a plugin may implement. Hooks return lists; nothing is mutated.

A plugin is a module named by an entry point of the group `tlbench`:

    [project.entry-points.tlbench]
    my-plugin = "my_package.plugin"
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pluggy

from tlbench.contracts.backbone import Backbone
from tlbench.contracts.cell import Cell
from tlbench.contracts.executor import ExecutorPlugin
from tlbench.contracts.metric import Metric
from tlbench.contracts.record import Record
from tlbench.contracts.renderer import Renderer
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Task

PROJECT = "tlbench"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def tlbench_backbones() -> Iterable[Backbone]:
    """Returns backbones."""
    raise NotImplementedError


@hookspec
def tlbench_tasks() -> Iterable[Task]:
    """Returns tasks."""
    raise NotImplementedError


@hookspec
def tlbench_strategies() -> Iterable[Strategy]:
    """Returns strategies."""
    raise NotImplementedError


@hookspec
def tlbench_suites() -> Iterable[Path]:
    """Returns suite files; a suite's name is the file's stem."""
    raise NotImplementedError


@hookspec
def tlbench_metrics() -> Iterable[Metric]:
    """Returns metrics, which tasks name."""
    raise NotImplementedError


@hookspec
def tlbench_renderers() -> Iterable[Renderer]:
    """Returns ways to write a leaderboard."""
    raise NotImplementedError


@hookspec
def tlbench_executors() -> Iterable[ExecutorPlugin]:
    """Returns executors."""
    raise NotImplementedError


@hookspec(firstresult=True)
def tlbench_resolve(kind: str, name: str) -> Backbone | Task | Strategy | None:
    """Returns the object for a name with a scheme, such as "hf:org/name@revision", or None if it is not yours.

    Args:
        kind: "backbone", "task" or "strategy".
        name: The name without its parameters in brackets.
    """
    raise NotImplementedError


@hookspec
def tlbench_schemes() -> Mapping[str, str]:
    """Returns the forms of the names that `tlbench_resolve` takes, each with its kind, to be shown by `tlbench list`.

    Such as {"hf:<org/name|folder>[@revision]": "backbone"}.
    """
    raise NotImplementedError


@hookspec
def tlbench_recorded(cell: Cell, record: Record) -> None:
    """Is told of each finished cell; a failing observer is logged, never fatal."""
    raise NotImplementedError
