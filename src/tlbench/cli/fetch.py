"""`tlbench fetch`: downloads weights and data, so that a run needs no network."""

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
    """Downloads backbones and tasks one after the other, and prints a line for each.

    Files fetched before a failure or an interruption are kept, and the same command fetches the rest.

    Raises:
        UsageError: A name is unknown (raised before anything is fetched), or downloads failed (raised after all were
            tried).
    """
    failed, count = [], 0
    for named in _looked_up(catalog, backbones, tasks):
        count += 1
        outcome = _fetch_one(named.item)
        # Flushed, since a download takes minutes and the output may be a pipe or a log file.
        print(f"{printable(named.ref.name)}: {printable(outcome)}", flush=True)
        if outcome.startswith("failed"):
            failed.append(named.ref.name)
    if failed:
        raise UsageError(f"{len(failed)} of {count} could not be fetched: {', '.join(failed)}")


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


def _fetch_one(item: Backbone | Task) -> str:
    try:
        if _is_on_disk(item):
            return "on disk"
        item.fetch()
        # Checked again: a plugin without a `fetch` of its own inherits one that does nothing.
        return "fetched" if _is_on_disk(item) else f"failed: {_reason_missing(item)}"
    except UsageError as error:
        return f"failed: {error}"
    except Exception as error:
        # A bug of one plugin must not stop the other downloads.
        return f"failed: {type(error).__name__}: {error}"


def _is_on_disk(item: Backbone | Task) -> bool:
    return item.missing() is None


def _reason_missing(item: Backbone | Task) -> str:
    return (item.missing() if isinstance(item, Task) else None) or "its plugin fetched nothing"
