"""The text that follows a conformance check that failed: what it holds, why it matters and how to fix it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from tlbench.testing.conformance.advice import backbone_advice, data_advice, other_advice, strategy_advice

_BY_CLASS: dict[str, dict[str, tuple[str, str]]] = {
    "BackboneConformance": backbone_advice.BACKBONE,
    "StrategyConformance": strategy_advice.STRATEGY,
    "ExecutorConformance": strategy_advice.EXECUTOR,
    "TaskConformance": data_advice.TASK,
    "MetricConformance": data_advice.METRIC,
    "OutputConformance": data_advice.OUTPUT,
    "SuiteConformance": data_advice.SUITE,
    "PluginConformance": other_advice.PLUGIN,
    "CommandConformance": other_advice.COMMAND,
    "RendererConformance": other_advice.RENDERER,
    "PolicyConformance": other_advice.POLICY,
    "ObserverConformance": other_advice.OBSERVER,
}


@dataclass(frozen=True)
class Explanation:
    """What to say about a check that failed, beside its own message."""

    holds: str
    """What the check guarantees, in one sentence."""
    why: str
    mend: str

    def __str__(self) -> str:
        return f"must hold: {self.holds}\nwhy:       {self.why}\nto mend:   {self.mend}"


def explanation(checks: type, name: str) -> Explanation | None:
    """Returns the explanation of a check, or None if it is not one of tlbench's.

    Args:
        checks: The test class, which subclasses a class of checks.
        name: The name of the test method.
    """
    for base in checks.__mro__:
        advice = _BY_CLASS.get(base.__name__, {}) if base.__module__.startswith("tlbench.testing.") else {}
        found = other_advice.LIGHT if advice and name == "test_import_is_light" else advice.get(name)
        if found:
            lines = (inspect.getdoc(getattr(checks, name, None)) or "").splitlines()
            return Explanation(lines[0] if lines else "", *found)
    return None
