"""The core's own executors: `inline` carries out orders in this process, `isolated` in worker processes.

The core registers them by the hooks that plugins use, and here too its metrics, its renderers and `run:` backbones.
"""

from __future__ import annotations

from collections.abc import Mapping

from tlbench.catalog.hookspecs import hookimpl
from tlbench.contracts.backbone import Backbone
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


@hookimpl
def tlbench_schemes() -> Mapping[str, str]:
    """Returns the form of the names of backbones that earlier runs adapted."""
    return {"run:<cell>": "backbone", "run:<folder>/<cell>": "backbone"}


@hookimpl
def tlbench_resolve(kind: str, name: str) -> Backbone | None:
    """Returns the backbone that a cell's winner adapted, pinned to the digest of its weights.

    Raises:
        UsageError: The cell has no winner, or the winner adapts no encoder that can be used as a backbone.
    """
    if kind != "backbone" or not name.startswith("run:"):
        return None
    # Imports torch, which no other lookup of a name should cost.
    from tlbench.running.winners.adapted_backbone import adapted_backbone

    return adapted_backbone(name.removeprefix("run:"))
