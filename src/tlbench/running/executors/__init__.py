"""What the core brings through the hooks that plugins use: its metrics, renderers and executors.

`inline` carries out orders in this process, `isolated` in processes that may die alone.
"""

from __future__ import annotations

from tlbench.catalog.hookspecs import hookimpl
from tlbench.contracts.executor import ExecutorPlugin
from tlbench.contracts.metric import Metric
from tlbench.contracts.renderer import Renderer
from tlbench.metrics import METRICS
from tlbench.results.render.formats import FORMATS
from tlbench.running.executors.inline import Inline
from tlbench.running.executors.isolated import Isolated


@hookimpl
def tlbench_metrics() -> list[Metric]:
    """Brings tlbench's own metrics."""
    return list(METRICS.values())


@hookimpl
def tlbench_renderers() -> list[Renderer]:
    """Brings tlbench's own ways to write a leaderboard."""
    return list(FORMATS.values())


@hookimpl
def tlbench_executors() -> list[ExecutorPlugin]:
    """Brings the core's own executors, through the hook that others use."""
    return [Inline(), Isolated()]
