"""`tlbench plan`: lists the cells that a run would run, and those that it would skip."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import msgspec

from tlbench.catalog.catalog import Catalog
from tlbench.cli.shell.verbosity import note
from tlbench.cli.text_tables import print_rows
from tlbench.contracts.cell import Cell, Plan, Protocol
from tlbench.contracts.errors import StoreError
from tlbench.contracts.executor import RUNG_PRUNERS
from tlbench.data.carving import planned_carve
from tlbench.planning.seen_datasets import seen_by_backbone
from tlbench.results.cell_states import State, cell_states
from tlbench.results.records.store import Store
from tlbench.results.render.escaping import printable

_LABELS: Mapping[State, str] = {
    "done": "done",
    "outdated": "outdated",
    "failed": "failed",
    "timed out": "timed out",
    "damaged": "damaged",
    "newer": "made by a newer tlbench",
}
"""The states of recorded cells, in the order in which they are counted."""


def print_plan(
    plan: Plan, out: Path, cells: bool = False, catalog: Catalog | None = None, as_json: bool = False
) -> None:
    """Prints a plan with the state of its cells, and the combinations that are skipped.

    Args:
        plan: The plan.
        out: Folder of results, which may not exist yet.
        cells: Whether to print every cell with its id instead of one row per backbone, strategy and protocol.
        catalog: The installed plugins, needed to print which backbones were trained on data of a task, and which fits
            rungs cannot cut short; without it, this is not printed.
        as_json: Whether to print all cells and skipped combinations as one JSON object instead.
    """
    recorded = _states(out)
    if as_json:
        print(_json(plan, recorded))
        return
    # Computing the ids of a large plan takes a while, and they are not needed where nothing is recorded.
    states = [recorded.get(cell.id) if recorded else None for cell in plan.cells]
    if cells:
        rows = [
            (cell.task.name, _backbone(cell), cell.strategy.name, cell.id, _LABELS[state] if state else "")
            for cell, state in zip(plan.cells, states, strict=True)
        ]
        print_rows(("task", "backbone", "strategy", "cell", ""), rows)
    else:
        groups: dict[tuple[str, str, str], list[tuple[Cell, State | None]]] = {}
        # Thousands of cells have a handful of protocols.
        cached_text = cache(protocol_text)
        for cell, state in zip(plan.cells, states, strict=True):
            key = (_backbone(cell), cell.strategy.name, cached_text(cell.protocol))
            groups.setdefault(key, []).append((cell, state))
        rows = [
            (
                backbone,
                strategy,
                _tasks([cell for cell, _ in group]),
                protocol,
                _counts([state for _, state in group], f"/{len(group)}"),
            )
            for (backbone, strategy, protocol), group in groups.items()
        ]
        print_rows(("backbone", "strategy", "tasks", "protocol", "done"), rows)
    if catalog is not None:
        for (backbone, task), names in seen_by_backbone(catalog, plan.cells).items():
            text = f"{backbone} was trained on data of {task}: {', '.join(names)}"
            print(printable(f"{text} (whether on its test examples is unknown)"))
        for strategy, pruner, reason in _whole_fits(plan, catalog):
            print(printable(f"{strategy}: all fits are whole in spite of {pruner}, since {reason}"))
    for skip in plan.skips:
        print(f"skipped: {printable(skip.title)}: {printable(skip.reason)}")
    count = "1 cell" if len(plan.cells) == 1 else f"{len(plan.cells)} cells"
    print(f"{printable(plan.suite)}: {count}, {_counts(states, ' done')}, {len(plan.skips)} skipped")


def print_inferred(plan: Plan, catalog: Catalog) -> None:
    """Prints to stderr what was inferred: commits, how the user's files were read, and validation splits from train."""
    for name, pinned in catalog.pinned().items():
        note(f"{printable(name)} is pinned to {printable(pinned)}")
    for name in dict.fromkeys(cell.task.name for cell in plan.cells):
        task = catalog.task(name).item
        # Tasks from files have a scheme in their name, such as csv:, and their description says how they are split.
        how = task.description if ":" in name else planned_carve(task.sizes, task.output)
        if how:
            note(f"{printable(name)}: {printable(how)}")


def print_devices(plan: Plan, catalog: Catalog, devices: int) -> None:
    """Prints to stderr which strategies use one of the devices that each fit is given, and why."""
    for name in dict.fromkeys(cell.strategy.name for cell in plan.cells) if devices > 1 else ():
        if reason := catalog.strategy(name).item.why_one_device:
            note(f"{printable(name)}: its fits run on one of {devices} devices, since {printable(reason)}")


def protocol_text(protocol: Protocol) -> str:
    """Returns a summary of a protocol: "16 trials (tpe), 3 seeds, 200 steps".

    With folds, it ends with the number of fits, of which a trial then has several.
    """
    how = protocol.sampler if protocol.pruner == "none" else f"{protocol.sampler}, {protocol.pruner}"
    parts = ["not searched" if protocol.trials == 1 else f"{protocol.trials} trials ({how})"]
    if protocol.folds:
        parts.append(f"{protocol.folds} folds")
    if protocol.trains_on_validation:
        parts.append("winner on train and validation")
    parts.append("1 seed" if len(protocol.seeds) == 1 else f"{len(protocol.seeds)} seeds")
    if protocol.max_steps:
        parts.append(f"{protocol.max_steps} steps")
    if protocol.epochs:
        parts.append(f"{protocol.epochs:g} {'epoch' if protocol.epochs == 1 else 'epochs'}")
    if protocol.train_limit:
        parts.append(f"{protocol.train_limit} examples")
    if text := protocol.amount.text:
        parts.append(f"{text} (whole validation)" if protocol.amount.validation == "whole" else text)
    if protocol.stop != "none" and len(protocol.seeds) > 1:
        parts.append(f"may stop for {protocol.stop}")
    if protocol.max_seconds:
        parts.append(f"at most {protocol.max_seconds:g} s")
    if protocol.folds:
        # A grid may have fewer settings than trials.
        most = "up to " if protocol.sampler == "grid" and protocol.is_searched else ""
        parts.append(f"{most}{protocol.trials * protocol.folds + len(protocol.seeds)} fits a cell")
    return ", ".join(parts)


def _json(plan: Plan, recorded: Mapping[str, State]) -> str:
    cells = [
        {
            "id": cell.id,
            "task": cell.task.name,
            "backbone": cell.backbone.name if cell.backbone else "",
            "strategy": cell.strategy.name,
            "state": recorded.get(cell.id, "waiting"),
            "protocol": msgspec.to_builtins(cell.protocol),
        }
        for cell in plan.cells
    ]
    skipped = [{"title": skip.title, "reason": skip.reason} for skip in plan.skips]
    # In ASCII, so that no name can act on a terminal.
    return json.dumps({"format": 1, "suite": plan.suite, "cells": cells, "skipped": skipped}, indent=1)


def _whole_fits(plan: Plan, catalog: Catalog) -> Iterator[tuple[str, str, str]]:
    """Yields strategies whose fits a search by rungs cannot cut short, with the pruner and the reason."""
    searches = {
        (cell.strategy.name, cell.protocol.pruner): None
        for cell in plan.cells
        if cell.protocol.is_searched and cell.protocol.pruner in RUNG_PRUNERS
    }
    for name, pruner in searches:
        if reason := catalog.strategy(name).item.why_whole:
            yield name, pruner, reason


def _backbone(cell: Cell) -> str:
    return cell.backbone.name if cell.backbone else "-"


def _tasks(cells: Sequence[Cell]) -> str:
    names = [cell.task.name for cell in cells]
    return ", ".join(names) if len(names) <= 6 else f"{', '.join(names[:5])} and {len(names) - 5} more"


def _counts(states: Sequence[State | None], unit: str) -> str:
    """Returns the number of finished cells with a unit, and those of cells in other states: "3 done, 1 failed"."""
    numbers = Counter(states)
    others = [f"{numbers[state]} {label}" for state, label in _LABELS.items() if state != "done" and numbers[state]]
    return ", ".join([f"{numbers['done']}{unit}", *others])


def _states(out: Path) -> dict[str, State]:
    from tlbench.running.staleness import InstalledVersions

    try:
        return cell_states(Store.open(out), InstalledVersions().differ)
    except StoreError:
        # No results yet, or a folder of something else: a plan can be shown, and `tlbench run` reports the error.
        return {}
