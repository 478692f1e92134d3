"""The core's own executors, and the hooks that register them together with the core's metrics and renderers.

The hooks are those that plugins use. `inline` carries out orders in this process, `isolated` in worker processes.
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
    """Registers the core's metrics."""
    return list(METRICS.values())


@hookimpl
def tlbench_renderers() -> list[Renderer]:
    """Registers the core's leaderboard formats."""
    return list(FORMATS.values())


@hookimpl
def tlbench_executors() -> list[ExecutorPlugin]:
    """Registers the core's executors."""
    return [Inline(), Isolated()]
