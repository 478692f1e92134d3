"""A test class for one object of a plugin, made in one line."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from tlbench.catalog.discovery import KINDS
from tlbench.contracts.outputs import Output
from tlbench.contracts.renderer import FolderRenderer
from tlbench.testing.conformance.backbone import BackboneConformance
from tlbench.testing.conformance.executor import ExecutorConformance
from tlbench.testing.conformance.metric import MetricConformance
from tlbench.testing.conformance.modules.command_function import CommandConformance
from tlbench.testing.conformance.modules.plugin_module import PluginConformance
from tlbench.testing.conformance.modules.suite_file import SuiteConformance
from tlbench.testing.conformance.observers.observer_conformance import ObserverConformance
from tlbench.testing.conformance.output import OutputConformance
from tlbench.testing.conformance.policies.policy_conformance import PolicyConformance
from tlbench.testing.conformance.renderer import FolderRendererConformance, RendererConformance
from tlbench.testing.conformance.strategy import StrategyConformance
from tlbench.testing.conformance.task import TaskConformance

CHECKS: dict[str, type] = {
    "backbone": BackboneConformance,
    "task": TaskConformance,
    "strategy": StrategyConformance,
    "metric": MetricConformance,
    "output": OutputConformance,
    "renderer": RendererConformance,
    "policy": PolicyConformance,
    "suite": SuiteConformance,
    "plugin": PluginConformance,
    "observer": ObserverConformance,
    "command": CommandConformance,
    "executor": ExecutorConformance,
}
"""The class of checks for each kind of object; its attribute for the object has the kind's name."""
_OBSERVED = ("tlbench_fitted", "tlbench_recorded")
SETTINGS = "conformance"
"""Attribute of a plugin's object with settings of its checks, as `conformance = {"tolerance": 1e-6}`."""


def of(item: object, kind: str = "", **settings: Any) -> type:
    """Returns a test class that checks an object of a plugin; pytest runs it under a name that begins with Test.

        TestNormOnly = conformance.of(NormOnly())
        TestWithinHalf = conformance.of(WithinHalf(), tolerance=1e-6)
        TestPlugin = conformance.of(my_package.plugin)

    Args:
        item: A backbone, task, strategy, metric, kind of output, renderer, policy or executor; the path of a suite; the
            function of a command; or the module of a plugin, which with `tlbench_fitted` or `tlbench_recorded` is
            checked as an observer too.
        kind: The kind of the object, such as "executor", where it does not follow from its class.
        settings: Attributes of the class of checks, such as `tasks` of `StrategyConformance`. The object itself may
            have some as an attribute `conformance`, a mapping, which `tlbench plugin check` reads too.

    Raises:
        TypeError: The object is of no kind of a plugin, or the checks have no such setting.
    """
    if isinstance(item, type):
        raise TypeError(f"{item.__name__} is a class: check an object of it, as conformance.of({item.__name__}())")
    kind = kind or kind_of(item)
    checks = CHECKS.get(kind)
    if checks is None:
        raise TypeError(f"there are no checks for a {kind}: the kinds are {', '.join(CHECKS)}")
    own = getattr(item, SETTINGS, {}) if kind not in {"plugin", "suite"} else {}
    classes = (*_classes(checks, kind, item),)
    chosen = {**own, **settings}
    known = {name for one in classes for name in _settings(one)} - {kind}
    if unknown := sorted(chosen.keys() - known):
        raise TypeError(f"{checks.__name__} has no setting {unknown[0]!r}; it has {', '.join(sorted(known)) or 'none'}")
    # A function that is an attribute of a class would become a method of it.
    held = staticmethod(item) if kind == "command" and callable(item) else item
    if kind == "command":
        chosen.setdefault("command_name", str(getattr(item, "__name__", "")).rstrip("_").replace("_", "-"))
    title = f"Test{type(item).__name__ if kind not in {'plugin', 'suite', 'command'} else kind.capitalize()}"
    return type(title, classes, {kind if kind != "observer" else "plugin": held, **chosen})


def kind_of(item: object) -> str:
    """Returns the kind of a plugin's object, such as "task".

    Raises:
        TypeError: It is of no kind.
    """
    if isinstance(item, ModuleType):
        return "plugin"
    if isinstance(item, Output):
        return "output"
    if inspect.isfunction(item):
        return "command"
    for kind, (_, contract) in KINDS.items():
        if isinstance(item, contract):
            return kind
    bases = ", ".join(contract.__name__ for _, contract in KINDS.values())
    raise TypeError(f"a {type(item).__name__} is no object of a plugin: subclass one of {bases}, or pass kind=...")


def _classes(checks: type, kind: str, item: object) -> Iterator[type]:
    if kind == "renderer" and isinstance(item, FolderRenderer):
        yield FolderRendererConformance
        return
    if kind == "plugin" and any(hasattr(item, hook) for hook in _OBSERVED):
        # Both are of the module: the import is checked by the observer's, which knows the tracker's modules too.
        yield ObserverConformance
    yield checks


def _settings(checks: type) -> Iterator[str]:
    """Yields the attributes that a test sets: those annotated as ClassVar, and methods that are no checks."""
    for base in checks.__mro__:
        for name, hint in vars(base).get("__annotations__", {}).items():
            if "ClassVar" in str(hint):
                yield name
        for name, value in vars(base).items():
            if inspect.isfunction(value) and not name.startswith(("_", "test_")):
                yield name
