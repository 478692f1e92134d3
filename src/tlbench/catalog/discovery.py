"""Discovery of installed plugins: a plugin that fails to load disables only itself, and its error is reported.

pluggy's `load_setuptools_entrypoints` stops at the first import error, and in a call of a hook one exception discards
the results of all plugins. So entry points are loaded and hook implementations called one at a time.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pluggy

from tlbench.catalog import hookspecs
from tlbench.catalog.loading.api_check import OWN
from tlbench.catalog.loading.load_watch import Load, LoadWatch
from tlbench.catalog.loading.plugin_modules import MODULES_VARIABLE, Broken, Plugin, guarded, loaded, plugin_modules
from tlbench.catalog.names import fault_of_name
from tlbench.catalog.objects import fault_of
from tlbench.contracts.backbone import Backbone
from tlbench.contracts.executor import ExecutorPlugin
from tlbench.contracts.metric import Metric
from tlbench.contracts.policies.policy import Policy
from tlbench.contracts.renderer import Renderer
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Task

__all__ = [
    "KINDS",
    "MODULES_VARIABLE",
    "OWN",
    "Broken",
    "Discovery",
    "Plugin",
    "PluginEntry",
    "discover",
    "plugin_modules",
]

# Kind of object -> hook that lists such objects, and the class or protocol that each of them is checked against.
KINDS: dict[str, tuple[str, type]] = {
    "backbone": ("tlbench_backbones", Backbone),
    "task": ("tlbench_tasks", Task),
    "strategy": ("tlbench_strategies", Strategy),
    "metric": ("tlbench_metrics", Metric),
    "renderer": ("tlbench_renderers", Renderer),
    "executor": ("tlbench_executors", ExecutorPlugin),
    "policy": ("tlbench_policies", Policy),
    "suite": ("tlbench_suites", Path),
}

_OF_TLBENCH = {"metric", "renderer", "executor", "policy"}
"""The kinds of which tlbench has objects of its own. No plugin may use the names of these objects, because installing a
plugin must neither change what a name means nor make the name ambiguous."""

_HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("tlbench_"))


@dataclass(frozen=True)
class PluginEntry:
    """One object of a plugin, with the distribution that it comes from."""

    kind: str
    name: str
    item: Any
    distribution: str
    version: str


@dataclass(frozen=True)
class Discovery:
    """The objects of all plugins, the errors of broken ones, and the hooks that are called later."""

    entries: tuple[PluginEntry, ...]
    broken: tuple[Broken, ...]
    plugins: tuple[Plugin, ...]
    manager: pluggy.PluginManager
    loads: Mapping[str, Load] = field(default_factory=dict)
    """What loading each plugin took, by its title."""

    def hooks(self, hook: str) -> Iterator[tuple[Plugin, Callable[..., Any]]]:
        """Yields each plugin that implements a hook, with its function; callers catch exceptions of each call."""
        plugins = {_registered_name(plugin): plugin for plugin in self.plugins}
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            yield plugins[implementation.plugin_name], implementation.function


def discover(extra: Iterable[Plugin] = (), kinds: Collection[str] = KINDS) -> Discovery:
    """Returns the objects of the installed plugins, of those in `TLBENCH_PLUGINS`, and of the given ones.

    Objects of other kinds than those in `kinds` are not asked for.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    broken: list[Broken] = []
    plugins: list[Plugin] = []
    watch = LoadWatch()
    for plugin in (*loaded(broken, watch), *extra):
        if _register(manager, plugin, broken):
            plugins.append(plugin)
    registered = Discovery((), (), tuple(plugins), manager)
    entries = [entry for kind in kinds for entry in _collect(registered, kind, broken, watch)]
    return Discovery(tuple(entries), tuple(broken), tuple(plugins), manager, watch.loads)


def _registered_name(plugin: Plugin) -> str:
    return f"{plugin.distribution}:{plugin.entry_point}"


def _register(manager: pluggy.PluginManager, plugin: Plugin, broken: list[Broken]) -> bool:
    def register() -> bool:
        name = _registered_name(plugin)
        manager.register(plugin.module, name=name)
        try:
            # Raises for a hookimpl of an unknown hook, such as a misspelt name. It checks all registered plugins, so it
            # is called after each of them and the plugin at fault is removed.
            manager.check_pending()
        except pluggy.PluginValidationError:
            manager.unregister(name=name)
            raise
        return True

    # Checked before pluggy does, whose message about an unknown hook does not list the existing ones.
    if unknown := _unknown_hooks(manager, plugin.module):
        broken.append(Broken(plugin.title, unknown))
        return False
    if not guarded(plugin.title, broken, register):
        return False
    if not manager.get_hookcallers(plugin.module):
        manager.unregister(plugin.module)
        reason = f"it implements no hook; is @hookimpl missing? The hooks are {', '.join(_HOOKS)}"
        broken.append(Broken(plugin.title, reason))
        return False
    # pluggy ignores a function without the marker, so its objects would be missing without a message.
    for hook in _HOOKS:
        if _is_unmarked(manager, plugin.module, hook):
            broken.append(Broken(plugin.title, f"its {hook} is not marked as a hook; is @hookimpl missing?"))
    return True


def _unknown_hooks(manager: pluggy.PluginManager, module: Any) -> str:
    """Returns a message about the first function that is marked with `hookimpl` but named like no hook; else ""."""
    for function in list(getattr(module, "__dict__", ())):
        options = manager.parse_hookimpl_opts(module, function)
        if options is None or options.get("optionalhook") or (name := options.get("specname") or function) in _HOOKS:
            continue
        close = difflib.get_close_matches(name, _HOOKS, n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        return f"it implements {name}, which is no hook; {meant}The hooks are {', '.join(_HOOKS)}"
    return ""


def _is_unmarked(manager: pluggy.PluginManager, module: Any, hook: str) -> bool:
    # getattr_static, because a module or an object may compute attributes on access (PEP 562).
    return (
        inspect.isroutine(inspect.getattr_static(module, hook, None))
        and manager.parse_hookimpl_opts(module, hook) is None
    )


def _collect(discovery: Discovery, kind: str, broken: list[Broken], watch: LoadWatch) -> Iterator[PluginEntry]:
    hook, contract = KINDS[kind]
    own: set[str] = set()
    # tlbench's own objects first, so that their names are known when those of plugins are checked.
    for plugin, function in sorted(discovery.hooks(hook), key=lambda pair: pair[0].distribution != OWN):
        with watch.watch(plugin.title):
            items = guarded(plugin.title, broken, partial(_items_and_names, function))
        for item, name in items or ():
            if not isinstance(item, contract) or not isinstance(name, str) or not name:
                reason = f"{hook} returned a {type(item).__name__} {name!r}, not a {contract.__name__} with a name"
                broken.append(Broken(plugin.title, reason))
                continue
            fault = _fault_of_name(kind, item, name, own if plugin.distribution != OWN else ())
            if not fault and contract is not Path:
                fault = guarded(plugin.title, broken, partial(fault_of, kind, item))
            if fault:
                broken.append(Broken(plugin.title, fault))
            # None: the check itself raised, which `guarded` has reported.
            if fault != "":
                continue
            if plugin.distribution == OWN and kind in _OF_TLBENCH:
                own.add(name)
            yield PluginEntry(kind, name, item, plugin.distribution, plugin.version)


def _fault_of_name(kind: str, item: object, name: str, own: Collection[str]) -> str | None:
    title = f"the {kind} {name!r} ({type(item).__name__})"
    if name in own:
        return f"{title} has the name of one of tlbench's own: give it another"
    # A suite has the name of its file, and can be given by its path instead.
    fault = "" if kind == "suite" else fault_of_name(name)
    return f"{title} has a name that a command cannot take: {fault}" if fault else ""


def _items_and_names(function: Callable[[], Iterable[Any]]) -> list[tuple[Any, Any]]:
    # A list, so that a generator runs here, where it is guarded. So is reading the name, which may be a property.
    return [(item, item.stem if isinstance(item, Path) else getattr(item, "name", None)) for item in function()]
