"""The catalog looks up names of the command line and of suites among the objects of all plugins."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar, cast

from tlbench.catalog.discovery import Broken, Discovery, Plugin, PluginEntry, discover
from tlbench.catalog.hub_commits import COMMIT
from tlbench.catalog.names import UnknownParameter, canonical, configure, parse
from tlbench.catalog.objects import fault_of
from tlbench.catalog.places.remembered_places import first_that_fits, without_folders
from tlbench.catalog.source_code import code_fingerprint, development_packages
from tlbench.catalog.unknown_names import misplaced_parameter_hint, unknown_name_hint, unknown_scheme_hint
from tlbench.contracts.backbone import Backbone
from tlbench.contracts.cell import Cell, Ref
from tlbench.contracts.errors import AmbiguousName, TlbenchError, UnknownName, UsageError
from tlbench.contracts.executor import ExecutorPlugin, FitOrder
from tlbench.contracts.metric import Metric
from tlbench.contracts.policies.policy import Policy
from tlbench.contracts.record import FitResult, Record
from tlbench.contracts.renderer import Renderer
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Task
from tlbench.metrics import METRICS

T = TypeVar("T")
_log = logging.getLogger(__name__)
_PLURALS = {"strategy": "strategies", "policy": "policies"}


@dataclass(frozen=True)
class Found(Generic[T]):
    """The result of a lookup: the configured object, its canonical name, and the Python distribution that has it."""

    item: T
    """The plugin's object with the parameters of the name applied."""
    ref: Ref
    """Canonical name and the object's own version, as they enter a cell's identity."""
    distribution: str
    version: str
    """Version of the distribution."""
    others: tuple[Found[Strategy], ...] = ()
    """The strategies that the options of a strategy name."""


class Catalog:
    """The objects of all installed plugins, by kind and name.

        catalog = Catalog.discover()
        catalog.backbone("hf:org/name@revision[readout=mean]").item.load()

    There is no global catalog: a command creates one and passes it on, so that tests can create their own. It does not
    change after it was created.
    """

    def __init__(self, discovery: Discovery) -> None:
        self.discovery = discovery
        """The objects of all plugins, and what loading each plugin took."""
        self._found: dict[tuple[str, str], Found[Any]] = {}

    @classmethod
    def discover(cls, extra: Iterable[Plugin] = ()) -> Catalog:
        """Returns the catalog of the installed plugins and of the given ones."""
        return cls(discover(extra))

    @property
    def broken(self) -> tuple[Broken, ...]:
        """Plugins and objects of plugins that cannot be used, with the reason."""
        return self.discovery.broken

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """The plugins that were loaded."""
        return self.discovery.plugins

    def broken_hint(self) -> str:
        """Returns a suffix for messages about an unknown name: it lists broken plugins, which may have had the name."""
        names = ", ".join(sorted({broken.plugin for broken in self.broken}))
        return f" (a plugin failed to load: {names}; `tlbench plugin doctor` says why)" if names else ""

    def entries(self, kind: str) -> tuple[PluginEntry, ...]:
        """Returns all objects of a kind, such as "task", sorted by name."""
        entries = (entry for entry in self.discovery.entries if entry.kind == kind)
        return tuple(sorted(entries, key=lambda entry: (entry.name, entry.distribution)))

    def backbone(self, name: str) -> Found[Backbone]:
        """Returns the backbone of this name, which may include parameters, a scheme and the distribution.

        Raises:
            UnknownName: No plugin has such a backbone.
            AmbiguousName: Two distributions have such a backbone, and the name does not include the distribution.
            UsageError: The name has a parameter that the backbone does not have, or one plugin uses the name twice.
        """
        return cast(Found[Backbone], self._find("backbone", name, Backbone))

    def task(self, name: str) -> Found[Task]:
        """Returns the task of this name; raises as `backbone` does."""
        return cast(Found[Task], self._find("task", name, Task))

    def strategy(self, name: str) -> Found[Strategy]:
        """Returns the strategy of this name; raises as `backbone` does."""
        return cast(Found[Strategy], self._find("strategy", name, Strategy))

    def pinned(self) -> dict[str, str]:
        """Returns, for each name that was looked up without a commit, the name with the commit that was found."""
        pinned = {}
        for (_, text), found in self._found.items():
            base, name = parse(text)[0], parse(found.ref.name)[0]
            repository, _, commit = name.rpartition("@")
            if COMMIT.fullmatch(commit) and base != name and base.partition("@")[0] == repository:
                pinned[base] = name
        return pinned

    def code(self, cell: Cell) -> dict[str, str]:
        """Returns the fingerprint of the source of a cell's strategy by its name; empty for a released plugin.

        The source is read once, so that the fingerprint stays that of the code which the run has imported.
        """
        found = self.strategy(cell.strategy.name)
        digests = {
            one.ref.name: code_fingerprint(type(one.item), self._development_packages) for one in (found, *found.others)
        }
        return {name: digest for name, digest in digests.items() if digest}

    @cached_property
    def _development_packages(self) -> frozenset[str]:
        return development_packages(self.plugins)

    def renderer(self, name: str) -> Found[Renderer]:
        """Returns the renderer of this format, which takes no parameters; raises as `backbone` does."""
        entry = self._registered("renderer", name)
        return Found(cast(Renderer, entry.item), Ref(entry.name), entry.distribution, entry.version)

    def executor(self, name: str) -> Found[ExecutorPlugin]:
        """Returns the executor of this name; raises as `backbone` does."""
        return cast(Found[ExecutorPlugin], self._find("executor", name, ExecutorPlugin))

    def policy(self, name: str) -> Found[Policy]:
        """Returns the policy of this name, which takes no parameters; raises as `backbone` does."""
        entry = self._registered("policy", name)
        return Found(cast(Policy, entry.item), Ref(entry.name), entry.distribution, entry.version)

    @cached_property
    def metrics(self) -> Mapping[str, Metric]:
        """All metrics by name: tlbench's own, and those of plugins except where several share a name."""
        entries = self._by_name("metric").values()
        return MappingProxyType({**METRICS, **{one[0].name: one[0].item for one in entries if len(one) == 1}})

    def metric(self, name: str) -> Metric:
        """Returns the metric of this name; a metric has no parameters.

        Raises:
            UnknownName: There is no such metric.
            AmbiguousName: Two distributions have a metric of this name.
        """
        return METRICS[name] if name in METRICS else cast(Metric, self._registered("metric", name).item)

    def schemes(self, kind: str) -> tuple[str, ...]:
        """Returns the forms of names with a scheme, such as "hf:<org/name>", that plugins resolve to this kind."""
        forms: set[str] = set()
        for plugin, function in self.discovery.hooks("tlbench_schemes"):
            try:
                forms |= {form for form, resolved in function().items() if resolved == kind}
            except (Exception, SystemExit):
                _log.warning("the schemes of %s cannot be listed", plugin.title, exc_info=True)
        return tuple(sorted(forms))

    def commands(self) -> dict[str, Callable[..., None]]:
        """Returns the functions of the commands that plugins add, by name; of two with one name, the first plugin's."""
        commands: dict[str, Callable[..., None]] = {}
        for plugin in self.plugins:
            commands = {**self.commands_of(plugin), **commands}
        return commands

    def commands_of(self, plugin: Plugin) -> dict[str, Callable[..., None]]:
        """Returns the functions of the commands that one plugin adds, by name."""
        for owner, function in self.discovery.hooks("tlbench_commands"):
            if owner.title == plugin.title:
                try:
                    return dict(function())
                except (Exception, SystemExit):
                    _log.warning("the commands of %s cannot be listed", plugin.title, exc_info=True)
        return {}

    def suite(self, name: str) -> Path:
        """Returns the path of a suite file, given its name or its path.

        Raises:
            UnknownName: No plugin has a suite of this name, or no file has this path.
            AmbiguousName: Two distributions have a suite of this name.
        """
        # A slash alone does not make a path: `distribution/name` has one too, and needs no suffix.
        if name.endswith(".toml") or ("/" in name and ":" not in name and Path(name).suffix):
            path = Path(name)
            with suppress(RuntimeError):  # ~name without such a user: a file of this name
                path = Path(name).expanduser()
            if not path.is_file():
                raise UnknownName(f"suite {name!r}: no such file")
            return path
        return cast(Path, self._registered("suite", name).item)

    def recorded(self, cell: Cell, record: Record) -> None:
        """Calls `tlbench_recorded` of every plugin; an exception is logged and does not end the run."""
        self._observed("tlbench_recorded", cell=cell, record=record)

    def fitted(self, order: FitOrder, results: Iterable[FitResult]) -> None:
        """Calls `tlbench_fitted` of every plugin for each result of an order, in the same way."""
        for result in results:
            self._observed("tlbench_fitted", order=order, result=result)

    def _observed(self, hook: str, **event: object) -> None:
        for plugin, function in self.discovery.hooks(hook):
            try:
                function(**event)
            except (Exception, SystemExit):
                _log.warning("the observer of %s failed", plugin.title, exc_info=True)

    def _find(self, kind: str, text: str, contract: type) -> Found[Any]:
        # Cached: a plan looks up the same names for every cell, and resolving a scheme may read files.
        key = (kind, text)
        if key not in self._found:
            self._found[key] = first_that_fits(*parse(text), partial(self._configured, kind, contract))
        return self._found[key]

    def _configured(self, kind: str, contract: type, base: str, params: Mapping[str, str]) -> Found[Any]:
        entry = self._resolved(kind, base, contract) or self._registered(kind, base)
        try:
            item = configure(entry.item, params, entry.name)
        except UnknownParameter as error:
            hint = misplaced_parameter_hint(entry.item, entry.name, error.key, params[error.key])
            raise UsageError(f"{error}; {hint}") if hint else error from None
        others = self._named_by(item) if isinstance(item, Strategy) else {}
        if others:
            item = replace(item, **{option: found.ref.name for option, found in others.items()})
        ref = Ref(without_folders(canonical(entry.name, entry.item, item)), getattr(item, "version", 1))
        if others:
            item = item.join({option: found.item for option, found in others.items()})
        return Found(item, ref, entry.distribution, entry.version, tuple(others.values()))

    def _named_by(self, strategy: Strategy) -> dict[str, Found[Strategy]]:
        """Returns the strategies that a strategy's options name, by option."""
        named = {option: getattr(strategy, option) for option in strategy.strategy_options}
        return {option: self.strategy(name) for option, name in named.items() if name}

    def _registered(self, kind: str, name: str) -> PluginEntry:
        named = self._by_name(kind)
        matches = named.get(name, ())
        if not matches and "/" in name:
            distribution, _, rest = name.partition("/")
            matches = tuple(entry for entry in named.get(rest, ()) if entry.distribution == distribution)
            # The distribution stays in the canonical name only if the name needs it: installing a second plugin that
            # uses the name gives new cells a new id, and removing it gives them the old one.
            if len(matches) == 1 and len(named[rest]) > 1:
                return replace(matches[0], name=name)
        if not matches:
            hint = unknown_name_hint(kind, name, self._index, self._suggested(kind, name), self.schemes(kind))
            raise UnknownName(f"unknown {kind} {name!r}{hint}{self.broken_hint()}")
        if len(matches) > 1:
            distributions = list(dict.fromkeys(entry.distribution for entry in matches))
            if len(distributions) == 1:
                raise UsageError(
                    f"{distributions[0]} has two {_PLURALS.get(kind, f'{kind}s')} named {matches[0].name!r}:"
                    " its author must rename one of them"
                )
            choices = " or ".join(f"{distribution}/{name}" for distribution in distributions)
            raise AmbiguousName(f"the {kind} {name!r} is in more than one distribution: use {choices}")
        return matches[0]

    def _resolved(self, kind: str, name: str, contract: type) -> PluginEntry | None:
        scheme, colon, _ = name.partition(":")
        # With a slash before the colon it is `distribution/name`, whose name may have a colon.
        if not colon or "/" in scheme:
            return None
        for plugin, function in self.discovery.hooks("tlbench_resolve"):
            try:
                item = function(kind=kind, name=name)
            except TlbenchError:
                # Meant for the user, such as a revision that does not exist.
                raise
            except (Exception, SystemExit) as error:
                raise UsageError(f"{plugin.title} could not resolve {name!r}: {error}") from error
            if item is not None:
                if not isinstance(item, contract):
                    raise UsageError(f"{plugin.title} resolved {name!r} to a {type(item).__name__}, not a {kind}")
                if fault := fault_of(kind, item):
                    raise UsageError(f"{plugin.title} resolved {name!r}: {fault}")
                # The object's own name is used: a plugin may pin what the user left open, such as a revision.
                return PluginEntry(kind, cast(Any, item).name, item, plugin.distribution, plugin.version)
        schemes = {one: self.schemes(one) for one in ("task", "backbone", "strategy")}
        hint = unknown_scheme_hint(kind, name, schemes)
        raise UnknownName(f"no plugin resolves the {kind} {name!r}{hint}{self.broken_hint()}")

    def _suggested(self, kind: str, name: str) -> list[str]:
        """Returns the names with a scheme that plugins suggest for an unknown name."""
        suggested: list[str] = []
        for plugin, function in self.discovery.hooks("tlbench_suggest"):
            try:
                suggested += map(str, function(kind=kind, name=name))
            except (Exception, SystemExit):
                _log.warning("%s could not suggest a name", plugin.title, exc_info=True)
        return list(dict.fromkeys(suggested))

    def _by_name(self, kind: str) -> dict[str, tuple[PluginEntry, ...]]:
        """Returns entries by name; a name with several entries is ambiguous, which is an error only when it is used."""
        return self._index.get(kind, {})

    @cached_property
    def _index(self) -> dict[str, dict[str, tuple[PluginEntry, ...]]]:
        index: dict[str, dict[str, tuple[PluginEntry, ...]]] = {}
        for entry in self.discovery.entries:
            kinds = index.setdefault(entry.kind, {})
            kinds[entry.name] = (*kinds.get(entry.name, ()), entry)
        return index
