"""The plugin's hook: the strategies of this distribution. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable

from tlbench import Strategy, hookimpl
from tlbench_multitask.intermediate import IntermediateTask
from tlbench_multitask.joint import MultiTask

tlbench_api = (1, 0)


@hookimpl
def tlbench_strategies() -> Iterable[Strategy]:
    """Returns the strategies, without other tasks: each use names its own."""
    return [IntermediateTask(), MultiTask()]
