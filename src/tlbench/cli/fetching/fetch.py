"""`tlbench fetch`: downloads weights and data, so that a run needs no network."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from tlbench.catalog.catalog import Catalog, Found
from tlbench.contracts.backbone import Backbone
from tlbench.contracts.errors import PluginError, UsageError
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Task
from tlbench.planning.needs import declared_needs
from tlbench.planning.suite import Suite
from tlbench.results.render.escaping import printable


class Fetched(NamedTuple):
    """The outcome of one download."""

    name: str
    outcome: Literal["on disk", "fetched", "failed"]
    reason: str = ""
    """Why it failed; else empty."""

    def __str__(self) -> str:
        return f"{self.name}: {self.outcome}" + (f": {self.reason}" if self.reason else "")


def fetch_all(catalog: Catalog, backbones: Iterable[str], tasks: Iterable[str], as_json: bool = False) -> None:
    """Downloads backbones and tasks one after the other, and prints a line for each, or all of them as JSON.

    Files fetched before a failure or an interruption are kept, and the same command fetches the rest.

    Raises:
        UsageError: A name is unknown (raised before anything is fetched), or downloads failed (raised after all were
            tried).
    """
    ended: list[Fetched] = []
    try:
        for named in _looked_up(catalog, backbones, tasks):
            ended.append(_fetch_one(named.item, named.ref.name))
            if not as_json:
                # Flushed, since a download takes minutes and the output may be a pipe or a log file.
                print(printable(str(ended[-1])), flush=True)
    finally:
        if as_json and (ended or sys.exception() is None):
            # In ASCII, so that nothing in a plugin's text can act on a terminal.
            print(json.dumps({"format": 1, "fetched": [one._asdict() for one in ended]}, indent=1))
    if failed := [one.name for one in ended if one.outcome == "failed"]:
        raise UsageError(f"{len(failed)} of {len(ended)} could not be fetched: {', '.join(failed)}")


def names_in_suite(suite: Suite, catalog: Catalog) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the names of the backbones and tasks of a suite, including those that its strategies need.

    Raises:
        UsageError: A strategy is unknown, or its needs() are invalid.
    """
    # Dictionaries as ordered sets: things are fetched in the order of the suite.
    backbones = dict.fromkeys(name for block in suite.cells for name in block.backbones)
    tasks = dict.fromkeys(name for block in suite.cells for name in block.tasks)
    for strategy in dict.fromkeys(name for block in suite.cells for name in block.strategies):
        for need in _needs(catalog.strategy(strategy).item):
            kind, _, name = need.partition(":")
            (backbones if kind == "backbone" else tasks).setdefault(name)
    return tuple(backbones), tuple(tasks)


def _needs(strategy: Strategy) -> tuple[str, ...]:
    try:
        return declared_needs(strategy)
    except PluginError as error:
        raise UsageError(str(error)) from error


def _looked_up(
    catalog: Catalog, backbones: Iterable[str], tasks: Iterable[str]
) -> Iterator[Found[Backbone] | Found[Task]]:
    # All names are looked up before anything is fetched: a misspelt last name must not fail after hours of downloads.
    named: list[Found[Backbone] | Found[Task]] = [catalog.backbone(name) for name in backbones]
    named += [catalog.task(name) for name in tasks]
    # By canonical name, since a suite and an option may write one name in two ways.
    yield from {one.ref.name: one for one in named}.values()


def _fetch_one(item: Backbone | Task, name: str) -> Fetched:
    try:
        if _is_on_disk(item):
            return Fetched(name, "on disk")
        item.fetch()
        # Checked again: a plugin without a `fetch` of its own inherits one that does nothing.
        return Fetched(name, "fetched") if _is_on_disk(item) else Fetched(name, "failed", _reason_missing(item))
    except UsageError as error:
        return Fetched(name, "failed", str(error))
    except Exception as error:
        # A bug of one plugin must not stop the other downloads.
        return Fetched(name, "failed", f"{type(error).__name__}: {error}")


def _is_on_disk(item: Backbone | Task) -> bool:
    return item.missing() is None


def _reason_missing(item: Backbone | Task) -> str:
    return (item.missing() if isinstance(item, Task) else None) or "its plugin fetched nothing"
