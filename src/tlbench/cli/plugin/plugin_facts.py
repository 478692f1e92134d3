"""Facts on each installed distribution with plugins: its version, its objects and its problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import KINDS, OWN, Broken, Plugin
from tlbench.catalog.loading.api_check import declared_api, fault_of_requirement, requirement_of
from tlbench.catalog.loading.load_watch import Load
from tlbench.contracts.errors import UnknownName
from tlbench.contracts.plugins.api_version import API_VERSION, text_of

_PLURALS = {"strategy": "strategies", "policy": "policies"}
_HOOKS = {
    "tlbench_resolve": "names with a scheme", "tlbench_fitted": "observer", "tlbench_recorded": "observer",
}  # fmt: skip


@dataclass(frozen=True)
class PluginProblem:
    """Something of a plugin that does not work, or that its author should fix."""

    reason: str
    where: str = ""
    traceback: str = ""
    is_error: bool = True
    """Whether something cannot be used; otherwise the plugin works, and its author should fix it."""


@dataclass(frozen=True)
class PluginFacts:
    """A distribution with plugins."""

    distribution: str
    version: str
    """Empty for a module in development."""
    api: str
    """The API version that it was written for, such as "1.0", or the versions of tlbench that it requires; empty if it
    says neither or could not be loaded."""
    brings: tuple[tuple[str, int], ...]
    """The kinds of objects that the plugin has, each with their number, such as ("task", 2)."""
    extras: tuple[str, ...]
    """What else its hooks do: observers, names with a scheme, commands."""
    load_seconds: float
    problems: tuple[PluginProblem, ...]

    @property
    def is_broken(self) -> bool:
        """Whether something that it brings cannot be used."""
        return any(problem.is_error for problem in self.problems)

    def text(self) -> str:
        """Returns what it brings, as "2 tasks, 1 strategy, observer"."""
        counted = [f"{n} {kind if n == 1 else _PLURALS.get(kind, f'{kind}s')}" for kind, n in self.brings]
        return ", ".join((*counted, *self.extras))


def facts_of(
    catalog: Catalog, own_commands: Collection[str] = (), distribution: str | None = None
) -> list[PluginFacts]:
    """Returns the facts of all distributions with plugins, or of one.

    Args:
        catalog: The installed plugins.
        own_commands: The names of tlbench's own commands, which no plugin can replace.
        distribution: The distribution, or the top-level package of a module in development; None for all.

    Raises:
        UnknownName: No plugin of this distribution is installed.
    """
    titles: dict[str, list[Plugin]] = {}
    for plugin in catalog.plugins:
        titles.setdefault(plugin.distribution, []).append(plugin)
    faults: dict[str, list[Broken]] = {}
    for broken in catalog.broken:
        faults.setdefault(distribution_of(broken), []).append(broken)
    names = sorted({*titles, *faults})
    if distribution is not None:
        if distribution not in names:
            raise UnknownName(f"no plugin of {distribution!r} is installed; there are {', '.join(names)}")
        names = [distribution]
    return [_facts(catalog, name, titles.get(name, ()), faults.get(name, ()), own_commands) for name in names]


def distribution_of(broken: Broken) -> str:
    """Returns the distribution of a plugin that is broken, or the top-level package of a module in development."""
    title = broken.plugin.rpartition("=")[2]
    return title.partition(" ")[0] if " " in title else title.partition(".")[0]


def _facts(
    catalog: Catalog, name: str, plugins: Sequence[Plugin], faults: Sequence[Broken], own_commands: Collection[str]
) -> PluginFacts:
    counts = Counter(entry.kind for entry in catalog.discovery.entries if entry.distribution == name)
    loads = [load for title, load in catalog.discovery.loads.items() if title.partition(" ")[0] == name]
    versions = [plugin.version for plugin in plugins] or [_version(broken) for broken in faults]
    declared = next((api for plugin in plugins if (api := declared_api(plugin.module))), None)
    return PluginFacts(
        name,
        versions[0],
        text_of(API_VERSION) if name == OWN else text_of(declared) if declared else requirement_of(name),
        tuple((kind, counts[kind]) for kind in KINDS if counts[kind]),
        tuple(dict.fromkeys(_extras(catalog, plugins))),
        sum(load.seconds for load in loads),
        (
            *(PluginProblem(one.reason, one.where, one.traceback) for one in faults),
            *_to_mend(catalog, name, plugins, loads, own_commands),
        ),
    )


def _version(broken: Broken) -> str:
    # "distribution 1.0 (entry point)"; a module of TLBENCH_PLUGINS has none.
    parts = broken.plugin.split(" ")
    return parts[1] if len(parts) > 2 else ""


def _extras(catalog: Catalog, plugins: Sequence[Plugin]) -> Iterator[str]:
    titles = {plugin.title for plugin in plugins}
    for hook, text in _HOOKS.items():
        if any(owner.title in titles for owner, _ in catalog.discovery.hooks(hook)):
            yield text
    if count := sum(len(catalog.commands_of(plugin)) for plugin in plugins):
        yield f"{count} command{'s' if count > 1 else ''}"


def _to_mend(
    catalog: Catalog, name: str, plugins: Sequence[Plugin], loads: Sequence[Load], own_commands: Collection[str]
) -> Iterator[PluginProblem]:
    for heavy in sorted({library for load in loads for library in load.heavy}):
        yield PluginProblem(
            f"loading it imports {heavy}, which takes seconds: import it inside functions", is_error=False
        )
    if plugins and (fault := fault_of_requirement(name)):
        yield PluginProblem(f"its module fits this tlbench, but {fault}", is_error=False)
    others: dict[tuple[str, str], set[str]] = {}
    for entry in catalog.discovery.entries:
        others.setdefault((entry.kind, entry.name), set()).add(entry.distribution)
    for (kind, one), owners in sorted(others.items()):
        if name in owners and len(owners) > 1:
            rivals = ", ".join(sorted(owners - {name}))
            text = f"{rivals} has a {kind} {one!r} too: it is named {name}/{one}"
            yield PluginProblem(text, is_error=False)
    for plugin in plugins:
        for command in catalog.commands_of(plugin):
            if command in own_commands:
                yield PluginProblem(f"its command {command!r} is hidden by tlbench's own: give it another name")
