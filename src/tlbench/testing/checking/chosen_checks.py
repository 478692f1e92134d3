"""The test classes for what an installed plugin brings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import Broken, Plugin, PluginEntry
from tlbench.testing.conformance.modules.one_line import of


@dataclass(frozen=True)
class Subject:
    """What a test class checks."""

    kind: str
    name: str
    distribution: str


def classes_of(catalog: Catalog, targets: Sequence[str]) -> dict[str, type]:
    """Returns a test class for each object, command and module of the targets, by its name for pytest.

    Args:
        catalog: The installed plugins.
        targets: Distributions (or top-level packages of modules in `TLBENCH_PLUGINS`), each followed by a slash and the
            name of an object where only this one is meant.
    """
    found = [one for target in targets for one in _of_target(catalog, *target.partition("/")[::2])]
    classes = {}
    for number, (subject, checks) in enumerate(found):
        checks.subject = subject  # type: ignore[attr-defined]
        classes[f"Test{number}"] = checks
    return classes


def _of_target(catalog: Catalog, distribution: str, name: str) -> Iterator[tuple[Subject, type]]:
    for plugin in catalog.plugins:
        if plugin.distribution == distribution and not name:
            subject = Subject("plugin", plugin.entry_point, distribution)
            yield subject, _made(subject, partial(of, plugin.module))
            yield from _commands(plugin, catalog)
    for broken in catalog.broken:
        if is_of(broken, distribution) and not name:
            yield Subject("plugin", broken.plugin, distribution), _failing("loads", broken.reason)
    for entry in catalog.discovery.entries:
        if entry.distribution == distribution and name in {"", entry.name}:
            subject = Subject(entry.kind, entry.name, distribution)
            yield subject, _made(subject, partial(_of_entry, entry))


def is_of(broken: Broken, distribution: str) -> bool:
    """Returns whether a broken plugin, or one of its objects, belongs to a distribution."""
    title = broken.plugin.rpartition("=")[2]  # "TLBENCH_PLUGINS=module" or "distribution 1.0 (entry point)"
    return title.partition(" ")[0].partition(".")[0] == distribution.partition(".")[0]


def _of_entry(entry: PluginEntry) -> type:
    if entry.kind in {"backbone", "task"} and (missing := entry.item.missing()):
        return _skipped(missing)
    return of(entry.item, entry.kind)


def _commands(plugin: Plugin, catalog: Catalog) -> Iterator[tuple[Subject, type]]:
    for name, function in catalog.commands_of(plugin).items():
        subject = Subject("command", name, plugin.distribution)
        yield subject, _made(subject, partial(of, function, "command", command_name=name))


def _made(subject: Subject, make: Callable[[], type]) -> type:
    """Returns the class, or one that fails where the object's own attributes cannot be read."""
    try:
        return make()
    except Exception as error:
        return _failing("can_be_checked", f"the {subject.kind} {subject.name}: {type(error).__name__}: {error}")


def _failing(check: str, reason: str) -> type:
    def fail(self: Any) -> None:
        pytest.fail(reason, pytrace=False)

    return type("TestBroken", (), {f"test_{check}": fail})


def _skipped(reason: str) -> type:
    def skip(self: Any) -> None:
        pytest.skip(reason)

    return type("TestMissing", (), {"test_is_on_this_machine": skip})
