"""The catalog: a name on the command line or in a suite -> one object, its canonical name, and who brought it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar, cast

from tlbench.catalog.discovery import Broken, Discovery, Plugin, PluginEntry, discover
from tlbench.catalog.names import canonical, configure, nearest, parse
from tlbench.catalog.objects import fault_of
from tlbench.contracts.backbone import Backbone
from tlbench.contracts.cell import Cell, Ref
from tlbench.contracts.errors import AmbiguousName, TlbenchError, UnknownName, UsageError
from tlbench.contracts.executor import ExecutorPlugin
from tlbench.contracts.metric import Metric
from tlbench.contracts.record import Record
from tlbench.contracts.renderer import Renderer
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Task
from tlbench.metrics import METRICS

T = TypeVar("T")
_log = logging.getLogger(__name__)
_PLURALS = {"strategy": "strategies"}


@dataclass(frozen=True)
class Found(Generic[T]):
    """What a name stands for."""

    item: T
    ref: Ref
    distribution: str
    version: str


class Catalog:
    """What is installed, as a value: nothing global, nothing changed after it was made."""

    def __init__(self, discovery: Discovery) -> None:
        self._discovery = discovery
        self._found: dict[tuple[str, str], Found[Any]] = {}

    @classmethod
    def discover(cls, extra: Iterable[Plugin] = ()) -> Catalog:
        """Returns the catalog of the installed plugins, and of the given ones beside them."""
        return cls(discover(extra))

    @property
    def broken(self) -> tuple[Broken, ...]:
        """Plugins, or objects of theirs, that could not be used."""
        return self._discovery.broken

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """The plugins that loaded."""
        return self._discovery.plugins

    def broken_hint(self) -> str:
        """Returns what to add where a name is unknown: which plugins are broken, one of which may have brought it."""
        names = ", ".join(sorted({broken.plugin for broken in self.broken}))
        return f" (a plugin failed to load: {names}; `tlbench list plugins` says why)" if names else ""

    def entries(self, kind: str) -> tuple[PluginEntry, ...]:
        """Returns everything of a kind, in order of name."""
        mine = (entry for entry in self._discovery.entries if entry.kind == kind)
        return tuple(sorted(mine, key=lambda entry: (entry.name, entry.distribution)))

    def backbone(self, name: str) -> Found[Backbone]:
        """Returns the backbone of this name.

        Raises:
            UnknownName, AmbiguousName, UsageError: Nothing, more than one thing (of two distributions, or of one),
                or no such parameter.
        """
        return cast(Found[Backbone], self._find("backbone", name, Backbone))

    def task(self, name: str) -> Found[Task]:
        """Returns the task of this name; raises as `backbone` does."""
        return cast(Found[Task], self._find("task", name, Task))

    def strategy(self, name: str) -> Found[Strategy]:
        """Returns the strategy of this name; raises as `backbone` does."""
        return cast(Found[Strategy], self._find("strategy", name, Strategy))

    def renderer(self, name: str) -> Found[Renderer]:
        """Returns the renderer of this format, which takes no parameters; raises as `backbone` does."""
        entry = self._registered("renderer", name)
        return Found(cast(Renderer, entry.item), Ref(entry.name), entry.distribution, entry.version)

    def executor(self, name: str) -> Found[ExecutorPlugin]:
        """Returns the executor of this name; raises as `backbone` does."""
        return cast(Found[ExecutorPlugin], self._find("executor", name, ExecutorPlugin))

    @cached_property
    def metrics(self) -> Mapping[str, Metric]:
        """The metrics that tasks may name: tlbench's own, and those of plugins that have a name of their own."""
        entries = self._by_name("metric").values()
        return MappingProxyType({**METRICS, **{one[0].name: one[0].item for one in entries if len(one) == 1}})

    def metric(self, name: str) -> Metric:
        """Returns the metric of this name.

        Raises:
            UnknownName, AmbiguousName: Nothing, or more than one thing.
        """
        return METRICS[name] if name in METRICS else cast(Metric, self._registered("metric", name).item)

    def schemes(self, kind: str) -> tuple[str, ...]:
        """Returns the forms of names, such as "hf:<org/name>", by which plugins make a thing of this kind."""
        forms: set[str] = set()
        for plugin, function in self._discovery.hooks("tlbench_schemes"):
            try:
                forms |= {form for form, made in function().items() if made == kind}
            except (Exception, SystemExit):
                _log.warning("the schemes of %s cannot be listed", plugin.title, exc_info=True)
        return tuple(sorted(forms))

    def suite(self, name: str) -> Path:
        """Returns the file of a suite, by name or by path.

        Raises:
            UnknownName, AmbiguousName: Nothing or more than one thing.
        """
        if name.endswith(".toml") or ("/" in name and ":" not in name and Path(name).suffix):
            path = Path(name)
            if not path.is_file():
                raise UnknownName(f"suite {name!r}: no such file")
            return path
        return cast(Path, self._registered("suite", name).item)

    def recorded(self, cell: Cell, record: Record) -> None:
        """Tells every observer of a finished cell; a failing one is logged."""
        for plugin, function in self._discovery.hooks("tlbench_recorded"):
            try:
                function(cell=cell, record=record)
            except (Exception, SystemExit):
                _log.warning("the observer of %s failed", plugin.title, exc_info=True)

    def _find(self, kind: str, text: str, contract: type) -> Found[Any]:
        key = (kind, text)
        if key not in self._found:
            base, params = parse(text)
            entry = self._resolved(kind, base, contract) or self._registered(kind, base)
            item = configure(entry.item, params, entry.name)
            ref = Ref(canonical(entry.name, entry.item, item), getattr(item, "version", 1))
            self._found[key] = Found(item, ref, entry.distribution, entry.version)
        return self._found[key]

    def _registered(self, kind: str, name: str) -> PluginEntry:
        named = self._by_name(kind)
        matches = named.get(name, ())
        if not matches and "/" in name:
            distribution, _, rest = name.partition("/")
            matches = tuple(entry for entry in named.get(rest, ()) if entry.distribution == distribution)
            if len(matches) == 1 and len(named[rest]) > 1:
                return replace(matches[0], name=name)
        if not matches:
            known = {*named, *(e.name for entries in named.values() for e in entries)}
            raise UnknownName(f"unknown {kind} {name!r}{nearest(name, known)}{self.broken_hint()}")
        if len(matches) > 1:
            distributions = list(dict.fromkeys(entry.distribution for entry in matches))
            if len(distributions) == 1:
                raise UsageError(
                    f"{distributions[0]} brings two {_PLURALS.get(kind, f'{kind}s')} named {matches[0].name!r}:"
                    " one of them must be renamed there"
                )
            who = " or ".join(f"{distribution}/{name}" for distribution in distributions)
            raise AmbiguousName(f"the {kind} {name!r} is brought by more than one distribution: say {who}")
        return matches[0]

    def _resolved(self, kind: str, name: str, contract: type) -> PluginEntry | None:
        scheme, colon, _ = name.partition(":")
        if not colon or "/" in scheme:
            return None
        for plugin, function in self._discovery.hooks("tlbench_resolve"):
            try:
                item = function(kind=kind, name=name)
            except TlbenchError:
                raise
            except (Exception, SystemExit) as error:
                raise UsageError(f"{plugin.title} could not resolve {name!r}: {error}") from error
            if item is not None:
                if not isinstance(item, contract):
                    raise UsageError(f"{plugin.title} resolved {name!r} to a {type(item).__name__}, not a {kind}")
                if fault := fault_of(kind, item):
                    raise UsageError(f"{plugin.title} resolved {name!r}: {fault}")
                # Its own name counts: a plugin pins what the user left open, such as a revision.
                return PluginEntry(kind, cast(Any, item).name, item, plugin.distribution, plugin.version)
        raise UnknownName(
            f"no plugin resolves the {kind} {name!r}; is the plugin for {scheme!r} installed?{self.broken_hint()}"
        )

    def _by_name(self, kind: str) -> dict[str, tuple[PluginEntry, ...]]:
        return self._index.get(kind, {})

    @cached_property
    def _index(self) -> dict[str, dict[str, tuple[PluginEntry, ...]]]:
        index: dict[str, dict[str, tuple[PluginEntry, ...]]] = {}
        for entry in self._discovery.entries:
            kinds = index.setdefault(entry.kind, {})
            kinds[entry.name] = (*kinds.get(entry.name, ()), entry)
        return index
