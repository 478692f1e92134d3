"""Finds installed plugins, each guarded: one that is broken disables itself alone, and is named.

pluggy's own loading stops at the first import error and one raising hook loses the answers of all the others, so
entry points are walked and hook implementations called one by one.
"""

from __future__ import annotations

import importlib
import inspect
import os
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import pluggy

from tlbench.catalog import hookspecs
from tlbench.catalog.names import fault_of_name
from tlbench.catalog.objects import fault_of
from tlbench.contracts.backbone import Backbone
from tlbench.contracts.executor import ExecutorPlugin
from tlbench.contracts.metric import Metric
from tlbench.contracts.renderer import Renderer
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Task

GROUP = "tlbench"
MODULES_VARIABLE = "TLBENCH_PLUGINS"
"""Modules to load as plugins without installing them, separated by commas; worker processes inherit it."""

KINDS: dict[str, tuple[str, type]] = {
    "backbone": ("tlbench_backbones", Backbone),
    "task": ("tlbench_tasks", Task),
    "strategy": ("tlbench_strategies", Strategy),
    "metric": ("tlbench_metrics", Metric),
    "renderer": ("tlbench_renderers", Renderer),
    "executor": ("tlbench_executors", ExecutorPlugin),
    "suite": ("tlbench_suites", Path),
}

OWN = "tlbench"
"""The distribution of what tlbench brings itself."""
_OF_TLBENCH = {"metric", "renderer", "executor"}
"""The kinds of which tlbench brings some, whose names no plugin may take: a name must not mean something else, or
nothing any more, because a plugin was installed."""

_HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("tlbench_"))
_MACHINERY = (str(Path(importlib.__file__).parent), str(Path(pluggy.__file__).parent), __file__, "<frozen ")
"""Where the files begin that stand between a plugin's code and whoever loads it."""


@dataclass(frozen=True)
class PluginEntry:
    """One object that a plugin brings."""

    kind: str
    name: str
    item: Any
    distribution: str
    version: str


@dataclass(frozen=True)
class Broken:
    """A plugin, or one object of it, that could not be used."""

    plugin: str
    """Distribution and entry point."""
    reason: str
    traceback: str = ""
    where: str = ""
    """File and line that raised, where something did."""


@dataclass(frozen=True)
class Plugin:
    """A loaded plugin module."""

    distribution: str
    version: str
    entry_point: str
    module: Any

    @property
    def title(self) -> str:
        """Distribution and entry point, for people."""
        return f"{self.distribution} {self.version} ({self.entry_point})"


@dataclass(frozen=True)
class Discovery:
    """All that was found: what plugins bring, what is broken, and the hooks to ask further."""

    entries: tuple[PluginEntry, ...]
    broken: tuple[Broken, ...]
    plugins: tuple[Plugin, ...]
    manager: pluggy.PluginManager

    def hooks(self, hook: str) -> Iterator[tuple[Plugin, Callable[..., Any]]]:
        """Yields the implementations of a hook, plugin by plugin, to be called one by one."""
        titles = {f"{p.distribution}:{p.entry_point}": p for p in self.plugins}
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            yield titles[implementation.plugin_name], implementation.function


def discover(extra: Iterable[Plugin] = ()) -> Discovery:
    """Returns what the installed plugins bring, and the given ones beside them."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    broken: list[Broken] = []
    plugins: list[Plugin] = []
    for plugin in (*_installed(broken), *_from_environment(broken), *extra):
        if _register(manager, plugin, broken):
            plugins.append(plugin)
    found = Discovery((), (), tuple(plugins), manager)
    entries = [entry for kind in KINDS for entry in _collect(found, kind, broken)]
    return Discovery(tuple(entries), tuple(broken), tuple(plugins), manager)


def guarded(plugin: str, broken: list[Broken], call: Callable[[], Any]) -> Any:
    """Returns what the call returns; what it raises is noted as the plugin's fault, and None returned."""
    try:
        return call()
    except (Exception, SystemExit) as error:
        broken.append(Broken(plugin, _one_line(error), traceback.format_exc(), _where(error)))
        return None


def _installed(broken: list[Broken]) -> Iterator[Plugin]:
    seen: set[tuple[str, str, str]] = set()
    for point in sorted(metadata.entry_points(group=GROUP), key=lambda p: (p.dist.name if p.dist else "", p.name)):
        distribution = point.dist.name if point.dist else "unknown"
        # An editable install beside a stale one shows the same entry point twice.
        if (distribution, point.name, point.value) in seen:
            continue
        seen.add((distribution, point.name, point.value))
        version = point.dist.version if point.dist else ""
        module = guarded(f"{distribution} {version} ({point.name})", broken, point.load)
        if module is not None:
            yield Plugin(distribution, version, point.name, module)


def plugin_modules() -> tuple[str, ...]:
    """Returns the names of the modules that `discover` imports."""
    installed = (point.module for point in metadata.entry_points(group=GROUP))
    return tuple(dict.fromkeys((*sorted(installed), *_named_by_environment())))


def _named_by_environment() -> list[str]:
    return [name for part in os.environ.get(MODULES_VARIABLE, "").split(",") if (name := part.strip())]


def _from_environment(broken: list[Broken]) -> Iterator[Plugin]:
    for name in _named_by_environment():
        module = guarded(f"{MODULES_VARIABLE}={name}", broken, partial(importlib.import_module, name))
        if module is not None:
            yield Plugin(name.partition(".")[0], "", name, module)


def _register(manager: pluggy.PluginManager, plugin: Plugin, broken: list[Broken]) -> bool:
    def register() -> bool:
        name = f"{plugin.distribution}:{plugin.entry_point}"
        manager.register(plugin.module, name=name)
        try:
            manager.check_pending()
        except pluggy.PluginValidationError:
            manager.unregister(name=name)
            raise
        return True

    if not guarded(plugin.title, broken, register):
        return False
    if not manager.get_hookcallers(plugin.module):
        manager.unregister(plugin.module)
        broken.append(Broken(plugin.title, "it implements no hook; is @hookimpl missing?"))
        return False
    for hook in _HOOKS:
        if _is_unmarked(manager, plugin.module, hook):
            broken.append(Broken(plugin.title, f"its {hook} is not marked as a hook; is @hookimpl missing?"))
    return True


def _is_unmarked(manager: pluggy.PluginManager, module: Any, hook: str) -> bool:
    return (
        inspect.isroutine(inspect.getattr_static(module, hook, None))
        and manager.parse_hookimpl_opts(module, hook) is None
    )


def _collect(found: Discovery, kind: str, broken: list[Broken]) -> Iterator[PluginEntry]:
    hook, contract = KINDS[kind]
    own: set[str] = set()
    # tlbench's own first, so that their names are known.
    for plugin, function in sorted(found.hooks(hook), key=lambda brought: brought[0].distribution != OWN):
        items = guarded(plugin.title, broken, partial(_listed, function))
        for item, name in items or ():
            if not isinstance(item, contract) or not isinstance(name, str) or not name:
                reason = f"{hook} brought {type(item).__name__} {name!r}, which is no {contract.__name__} with a name"
                broken.append(Broken(plugin.title, reason))
                continue
            fault = _fault_of_name(kind, item, name, own if plugin.distribution != OWN else ())
            if not fault and contract is not Path:
                fault = guarded(plugin.title, broken, partial(fault_of, kind, item))
            if fault:
                broken.append(Broken(plugin.title, fault))
            if fault != "":
                continue
            if plugin.distribution == OWN and kind in _OF_TLBENCH:
                own.add(name)
            yield PluginEntry(kind, name, item, plugin.distribution, plugin.version)


def _fault_of_name(kind: str, item: object, name: str, own: Collection[str]) -> str | None:
    title = f"the {kind} {name!r} ({type(item).__name__})"
    if name in own:
        return f"{title} has the name of one of tlbench's own: give it another"
    # A suite is named as its file, which may be given by its path instead.
    fault = "" if kind == "suite" else fault_of_name(name)
    return f"{title} has a name that a command cannot take: {fault}" if fault else ""


def _listed(function: Callable[[], Iterable[Any]]) -> list[tuple[Any, Any]]:
    # The name too is the plugin's code: a property may raise.
    return [(item, item.stem if isinstance(item, Path) else getattr(item, "name", None)) for item in function()]


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _where(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_MACHINERY)]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
