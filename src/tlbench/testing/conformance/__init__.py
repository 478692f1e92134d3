"""Conformance checks for plugins: subclass one in a test file, set the object to check, and run pytest.

    from tlbench.testing.conformance import TaskConformance

    class TestMyTask(TaskConformance):
        task = MyTask()
        sizes = {"train": 2000, "test": 500}

Each class lists its guarantees. Class attributes that a subclass leaves out default to the toys, which run in
milliseconds.
"""

from tlbench.testing.conformance.backbone import BackboneConformance
from tlbench.testing.conformance.executor import ExecutorConformance
from tlbench.testing.conformance.metric import MetricConformance
from tlbench.testing.conformance.observers.observer_conformance import ObserverConformance
from tlbench.testing.conformance.output import OutputConformance
from tlbench.testing.conformance.policies.policy_conformance import PolicyConformance
from tlbench.testing.conformance.renderer import FolderRendererConformance, RendererConformance
from tlbench.testing.conformance.strategy import StrategyConformance
from tlbench.testing.conformance.task import TaskConformance

__all__ = [
    "BackboneConformance",
    "ExecutorConformance",
    "FolderRendererConformance",
    "MetricConformance",
    "ObserverConformance",
    "OutputConformance",
    "PolicyConformance",
    "RendererConformance",
    "StrategyConformance",
    "TaskConformance",
]
