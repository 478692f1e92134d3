"""Conformance checks for plugins: one line for each object in a test file, and pytest runs them.

    from tlbench.testing import conformance

    TestNormOnly = conformance.of(NormOnly())
    TestReviews = conformance.of(Reviews(), sizes={"train": 2000, "test": 500})

A check that fails says what is wrong, why it matters and how to fix it. The same checks as classes, for tests of your
own beside them:

    from tlbench.testing.conformance import TaskConformance

    class TestReviews(TaskConformance):
        task = Reviews()
        sizes = {"train": 2000, "test": 500}

Each class lists its guarantees. Attributes that are left out default to the toys, which run in milliseconds.
"""

from tlbench.testing.conformance.backbone import BackboneConformance
from tlbench.testing.conformance.executor import ExecutorConformance
from tlbench.testing.conformance.metric import MetricConformance
from tlbench.testing.conformance.modules.command_function import CommandConformance
from tlbench.testing.conformance.modules.one_line import of
from tlbench.testing.conformance.modules.plugin_module import PluginConformance
from tlbench.testing.conformance.modules.suite_file import SuiteConformance
from tlbench.testing.conformance.observers.observer_conformance import ObserverConformance
from tlbench.testing.conformance.output import OutputConformance
from tlbench.testing.conformance.policies.policy_conformance import PolicyConformance
from tlbench.testing.conformance.renderer import FolderRendererConformance, RendererConformance
from tlbench.testing.conformance.strategy import StrategyConformance
from tlbench.testing.conformance.task import TaskConformance

__all__ = [
    "BackboneConformance",
    "CommandConformance",
    "ExecutorConformance",
    "FolderRendererConformance",
    "MetricConformance",
    "ObserverConformance",
    "OutputConformance",
    "PluginConformance",
    "PolicyConformance",
    "RendererConformance",
    "StrategyConformance",
    "SuiteConformance",
    "TaskConformance",
    "of",
]
