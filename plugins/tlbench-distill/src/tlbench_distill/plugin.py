"""The plugin's hook: the strategy of this distribution. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable

from tlbench import Strategy, hookimpl
from tlbench_distill.distillation import Distill

tlbench_api = (1, 0)


@hookimpl
def tlbench_strategies() -> Iterable[Strategy]:
    """Returns the strategy, without a teacher: each use names its own."""
    return [Distill()]
