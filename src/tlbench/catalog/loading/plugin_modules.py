"""The modules of the installed plugins and of those in `TLBENCH_PLUGINS`, imported one at a time."""

from __future__ import annotations

import importlib
import os
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import pluggy

from tlbench.catalog.loading.api_check import fault_of_api, fault_of_requirement
from tlbench.catalog.loading.load_watch import LoadWatch
from tlbench.contracts.untrusted.redaction import without_secrets
from tlbench.system.stop_signals import is_raised_by_code

GROUP = "tlbench"
"""The group of entry points that name the modules of plugins."""
MODULES_VARIABLE = "TLBENCH_PLUGINS"
"""Environment variable with modules to load as plugins without installing them, separated by commas.

It is an environment variable so that worker processes inherit it."""

_LOADER_PATHS = (
    str(Path(importlib.__file__).parent), str(Path(pluggy.__file__).parent), __file__,
    str(Path(__file__).parents[1] / "discovery.py"), "<frozen ",
)  # fmt: skip
"""Prefixes of the files whose stack frames are skipped to find the line of a plugin that raised."""


@dataclass(frozen=True)
class Broken:
    """A plugin, or one of its objects, that cannot be used."""

    plugin: str
    """Distribution, version and entry point of the plugin."""
    reason: str
    """Why the plugin or object cannot be used, in one line."""
    traceback: str = ""
    where: str = ""
    """File and line at which an exception was raised; empty if there was none."""


@dataclass(frozen=True)
class Plugin:
    """A loaded plugin module."""

    distribution: str
    version: str
    entry_point: str
    module: Any

    @property
    def title(self) -> str:
        """Distribution, version and entry point, for messages."""
        return f"{self.distribution} {self.version} ({self.entry_point})"


def guarded(plugin: str, broken: list[Broken], call: Callable[[], Any]) -> Any:
    """Returns the result of a call, or None if it raised; the exception is then added to `broken`."""
    try:
        return call()
    # SystemExit too, since some libraries exit where a licence or a driver is missing; Ctrl-C still ends the command.
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        if isinstance(error, KeyboardInterrupt) and not is_raised_by_code(error):
            raise
        broken.append(Broken(plugin, _one_line(error), without_secrets(traceback.format_exc()), _where(error)))
        return None


def loaded(broken: list[Broken], watch: LoadWatch) -> Iterator[Plugin]:
    """Yields the plugins whose modules were imported and fit this version of tlbench; the others go to `broken`."""
    for plugin in (*_installed(broken, watch), *_from_environment(broken, watch)):
        # A module in development has no distribution whose requirement could be read.
        fault = fault_of_api(plugin.module, plugin.distribution if plugin.version else "")
        if fault:
            broken.append(Broken(plugin.title, fault))
        else:
            yield plugin


def plugin_modules() -> tuple[str, ...]:
    """Returns the names of the modules that `loaded` imports, without importing them."""
    installed = (point.module for point in metadata.entry_points(group=GROUP))
    return tuple(dict.fromkeys((*sorted(installed), *_modules_in_environment())))


def _installed(broken: list[Broken], watch: LoadWatch) -> Iterator[Plugin]:
    seen: set[tuple[str, str, str]] = set()
    # Sorted, because the order of entry points depends on the file system.
    for point in sorted(metadata.entry_points(group=GROUP), key=lambda p: (p.dist.name if p.dist else "", p.name)):
        distribution = point.dist.name if point.dist else "unknown"
        # An editable install beside a stale one lists the same entry point twice.
        if (distribution, point.name, point.value) in seen:
            continue
        seen.add((distribution, point.name, point.value))
        version = point.dist.version if point.dist else ""
        plugin = Plugin(distribution, version, point.name, None)
        with watch.watch(plugin.title):
            module = guarded(plugin.title, broken, point.load)
        if module is not None:
            yield replace(plugin, module=module)
        # A plugin for another version often fails at an import, and its requirement says why.
        elif fault := fault_of_requirement(distribution):
            broken[-1] = replace(broken[-1], reason=f"{fault} ({broken[-1].reason})")


def _modules_in_environment() -> list[str]:
    return [name for part in os.environ.get(MODULES_VARIABLE, "").split(",") if (name := part.strip())]


def _from_environment(broken: list[Broken], watch: LoadWatch) -> Iterator[Plugin]:
    for name in _modules_in_environment():
        # There is no distribution: the top-level package takes its place in `distribution/name`.
        plugin = Plugin(name.partition(".")[0], "", name, None)
        with watch.watch(plugin.title):
            module = guarded(f"{MODULES_VARIABLE}={name}", broken, partial(importlib.import_module, name))
        if module is not None:
            yield replace(plugin, module=module)


def _one_line(error: BaseException) -> str:
    text = " ".join(without_secrets(str(error)).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _where(error: BaseException) -> str:
    # A module with a syntax error never runs, so no frame of the traceback is in it.
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(_LOADER_PATHS)]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else ""
