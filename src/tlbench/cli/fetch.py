"""`tlbench fetch`: brings weights and data to this machine, so that a run needs no network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tlbench.catalog.catalog import Catalog, Found
from tlbench.contracts.backbone import Backbone
from tlbench.contracts.errors import PluginError, UsageError
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Task
from tlbench.planning.needs import declared_needs
from tlbench.planning.suite import Suite
from tlbench.results.render.escaping import printable


def fetch_all(catalog: Catalog, backbones: Iterable[str], tasks: Iterable[str]) -> None:
    """Brings what is not there, one after the other, and prints a line for each.

    What was brought before a failure or an interruption stays, and the same command brings the rest.

    Raises:
        UsageError: Something cannot be had; the others were brought all the same.
    """
    failed, count = [], 0
    for found in _found(catalog, backbones, tasks):
        count += 1
        became = _fetched(found.item)
        print(f"{printable(found.ref.name)}: {printable(became)}", flush=True)
        if became.startswith("failed"):
            failed.append(found.ref.name)
    if failed:
        raise UsageError(f"{len(failed)} of {count} could not be had: {', '.join(failed)}")


def named_by(suite: Suite, catalog: Catalog) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the backbones and the tasks that a suite names, and those that its strategies need.

    Raises:
        UsageError: An unknown strategy, or one whose needs() are none.
    """
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


def _found(catalog: Catalog, backbones: Iterable[str], tasks: Iterable[str]) -> Iterator[Found[Backbone] | Found[Task]]:
    # Every name is looked up before anything is fetched: a mistake in the last must not cost the first its hour.
    things: list[Found[Backbone] | Found[Task]] = [catalog.backbone(name) for name in backbones]
    things += [catalog.task(name) for name in tasks]
    yield from {thing.ref.name: thing for thing in things}.values()


def _fetched(item: Backbone | Task) -> str:
    try:
        if _there(item):
            return "there"
        item.fetch()
        return "fetched" if _there(item) else f"failed: {_what_is_missing(item)}"
    except UsageError as error:
        return f"failed: {error}"
    except Exception as error:
        # A plugin's fault must not cost the others.
        return f"failed: {type(error).__name__}: {error}"


def _there(item: Backbone | Task) -> bool:
    return item.missing() is None if isinstance(item, Task) else item.card().on_disk


def _what_is_missing(item: Backbone | Task) -> str:
    return (item.missing() if isinstance(item, Task) else None) or "its plugin fetched nothing"
