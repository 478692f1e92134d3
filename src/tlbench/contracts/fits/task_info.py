"""The description of a task that a strategy gets, without data, and the context of a search space."""

from __future__ import annotations

from dataclasses import dataclass

from tlbench.contracts.backbone import Backbone
from tlbench.contracts.cell import Protocol
from tlbench.contracts.outputs import Output


@dataclass(frozen=True)
class TaskInfo:
    """The description of a task that a strategy receives; it gives no access to the test split."""

    name: str
    output: Output
    metrics: tuple[str, ...]
    """Names of the metrics, the primary one first."""
    positive: int = 1
    """The positive class of binary metrics."""
    pairs: bool = False
    """Whether an example's inputs are two texts to compare."""

    @property
    def metric(self) -> str:
        """The name of the primary metric."""
        return self.metrics[0]


@dataclass(frozen=True)
class SpaceContext:
    """The task, protocol and backbone, on which a search space may depend."""

    task: TaskInfo
    protocol: Protocol
    backbone: Backbone | None
    """None for a strategy that uses no backbone."""
