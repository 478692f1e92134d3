"""`tlbench plan`: what a run would do."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tlbench.catalog.catalog import Catalog
from tlbench.cli.text_tables import print_rows
from tlbench.contracts.cell import Cell, Plan, Protocol
from tlbench.contracts.errors import StoreError
from tlbench.results.records.store import Store
from tlbench.results.render.escaping import printable


def print_plan(plan: Plan, out: Path, cells: bool = False) -> None:
    """Prints what a plan runs, which of it is done, and what is skipped; with `cells`, cell by cell."""
    done = _attempts(out)
    finished = [bool(done) and cell.id in done for cell in plan.cells]
    if cells:
        rows = [
            (cell.task.name, _backbone(cell), cell.strategy.name, cell.id, "done" if ready else "")
            for cell, ready in zip(plan.cells, finished, strict=True)
        ]
        print_rows(("task", "backbone", "strategy", "cell", ""), rows)
    else:
        groups: dict[tuple[str, str, str], list[tuple[Cell, bool]]] = {}
        said = cache(protocol_text)
        for cell, ready in zip(plan.cells, finished, strict=True):
            groups.setdefault((_backbone(cell), cell.strategy.name, said(cell.protocol)), []).append((cell, ready))
        rows = [
            (
                backbone,
                strategy,
                _tasks([cell for cell, _ in group]),
                protocol,
                f"{sum(ready for _, ready in group)}/{len(group)}",
            )
            for (backbone, strategy, protocol), group in groups.items()
        ]
        print_rows(("backbone", "strategy", "tasks", "protocol", "done"), rows)
    for skip in plan.skips:
        print(f"skipped: {printable(skip.title)}: {printable(skip.reason)}")
    print(f"{printable(plan.suite)}: {len(plan.cells)} cells, {sum(finished)} done, {len(plan.skips)} skipped")


def print_inferred(plan: Plan, catalog: Catalog) -> None:
    """Says on stderr what was made of the user's own files: their tasks are named by a scheme, such as `csv:`."""
    for name in dict.fromkeys(cell.task.name for cell in plan.cells):
        if ":" in name and (description := catalog.task(name).item.description):
            print(f"{printable(name)}: {printable(description)}", file=sys.stderr)


def protocol_text(protocol: Protocol) -> str:
    """Returns a protocol in a few words."""
    parts = ["not searched" if protocol.trials == 1 else f"{protocol.trials} trials ({protocol.sampler})"]
    parts.append("1 seed" if len(protocol.seeds) == 1 else f"{len(protocol.seeds)} seeds")
    if protocol.max_steps:
        parts.append(f"{protocol.max_steps} steps")
    if protocol.epochs:
        parts.append(f"{protocol.epochs:g} epochs")
    if protocol.train_limit:
        parts.append(f"{protocol.train_limit} examples")
    if protocol.max_seconds:
        parts.append(f"at most {protocol.max_seconds:g} s")
    return ", ".join(parts)


def _backbone(cell: Cell) -> str:
    return cell.backbone.name if cell.backbone else "-"


def _tasks(cells: Sequence[Cell]) -> str:
    names = [cell.task.name for cell in cells]
    return ", ".join(names) if len(names) <= 6 else f"{', '.join(names[:5])} and {len(names) - 5} more"


def _attempts(out: Path) -> dict[str, int]:
    try:
        return Store.open(out).attempts()
    except StoreError:
        return {}
