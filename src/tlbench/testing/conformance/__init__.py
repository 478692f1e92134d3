"""Checks that every plugin must pass: subclass one in a test file and name the object.

    from tlbench.testing.conformance import TaskConformance

    class TestMyTask(TaskConformance):
        task = MyTask()
        sizes = {"train": 2000, "test": 500}

What a class does not say is checked with the toys, so that a check takes milliseconds.
"""

from tlbench.testing.conformance.backbone import BackboneConformance
from tlbench.testing.conformance.executor import ExecutorConformance
from tlbench.testing.conformance.metric import MetricConformance
from tlbench.testing.conformance.output import OutputConformance
from tlbench.testing.conformance.renderer import RendererConformance
from tlbench.testing.conformance.strategy import StrategyConformance
from tlbench.testing.conformance.task import TaskConformance

__all__ = [
    "BackboneConformance",
    "ExecutorConformance",
    "MetricConformance",
    "OutputConformance",
    "RendererConformance",
    "StrategyConformance",
    "TaskConformance",
]
