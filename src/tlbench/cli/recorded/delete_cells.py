"""Deletes cells from a results folder, after a preview and a confirmation."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tlbench.catalog.catalog import Catalog, Found
from tlbench.cli.text_tables import print_rows
from tlbench.contracts.cell import Cell
from tlbench.contracts.errors import UsageError
from tlbench.modeling.disk.cache_settings import size_text
from tlbench.results.records.cell_ids import full_id
from tlbench.results.records.deletion import StoredCell, stored_cells
from tlbench.results.records.store import Store
from tlbench.results.render.escaping import printable
from tlbench.running.cells.cell_folder import CellFolder

_SHOWN = 20
"""Number of cells that a preview lists one by one."""


@dataclass(frozen=True)
class Chosen:
    """The cells to delete: those that match every given field; names and ids within a field are alternatives."""

    cells: tuple[str, ...] = ()
    """Ids, or beginnings of ids that are unique in the folder."""
    suite: str | None = None
    tasks: tuple[str, ...] = ()
    backbones: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()


def delete(out: Path, chosen: Chosen, yes: bool, confirm: Callable[[str], bool] | None, as_json: bool = False) -> None:
    """Shows which cells would be deleted, asks for confirmation, and deletes them.

    Args:
        out: The results folder.
        chosen: The cells to delete.
        yes: Whether to delete without asking.
        confirm: Asks the user a question; None if nobody can answer.
        as_json: Whether to print the ids alone, as JSON; it asks nothing, so that it needs `yes`.

    Raises:
        UsageError: Nothing is chosen, nothing matches, nobody can confirm, or a run is working on one of the
            cells, which is left as it is.
    """
    if chosen == Chosen():
        raise UsageError("nothing to delete: give the ids of cells, or --suite, --task, --backbone or --strategy")
    if as_json and not yes:
        raise UsageError("nothing is deleted: with --json nothing is asked; give --yes")
    Store.open(out)
    cells = _matching(out, chosen)
    if not as_json:
        _print_preview(cells, out)
    if not yes:
        if confirm is None:
            raise UsageError("nothing is deleted: this is no terminal to ask for confirmation in; give --yes")
        if not confirm(f"Delete {_count(len(cells))} from {printable(out)}?"):
            print("nothing is deleted")
            return
    deleted, busy = list[str](), list[str]()
    for cell, _, _ in cells:
        (deleted if _delete_one(cell) else busy).append(cell.id)
    if as_json:
        print(json.dumps({"format": 1, "deleted": deleted, "left": busy}, indent=1))
    else:
        it = "it" if len(deleted) == 1 else "them"
        again = f"; the same `tlbench run` as before computes {it} again" if deleted else ""
        print(f"deleted {_count(len(deleted))}{again}")
    if busy:
        ids = ", ".join(busy[:5])
        raise UsageError(f"{_count(len(busy))} left, as another run has them open: {ids}; stop it first")


_Listed = list[tuple[StoredCell, Cell | None, str]]
"""Stored cells, each with its identity (None if no file tells it) and the status of its newest record."""


def _matching(out: Path, chosen: Chosen) -> _Listed:
    stored = dict(stored_cells(out))
    if chosen.cells:
        ids = {full_id(given, stored) for given in chosen.cells}
        stored = {cell_id: stored[cell_id] for cell_id in sorted(ids)}
    catalog = Catalog.discover()
    if chosen.suite is not None:
        planned = _ids_of_suite(catalog, chosen.suite)
        stored = {cell_id: cell for cell_id, cell in stored.items() if cell_id in planned}
    listed = [(cell, *cell.read()) for cell in stored.values()]
    axes: tuple[tuple[str, Sequence[str], Callable[[str], Found[Any]], Callable[[Cell], str]], ...] = (
        ("task", chosen.tasks, catalog.task, lambda cell: cell.task.name),
        ("backbone", chosen.backbones, catalog.backbone, lambda cell: cell.backbone.name if cell.backbone else ""),
        ("strategy", chosen.strategies, catalog.strategy, lambda cell: cell.strategy.name),
    )
    for axis, names, find, name_of in axes:
        if names:
            known = {name_of(cell) for _, cell, _ in listed if cell is not None}
            wanted = {_recorded_name(axis, name, find, known, out) for name in names}
            listed = [one for one in listed if one[1] is not None and name_of(one[1]) in wanted]
    if not listed:
        raise UsageError(f"{out}: no cell matches all of this; `tlbench leaderboard --all` shows what there is")
    return listed


def _recorded_name(axis: str, name: str, find: Callable[[str], Found[Any]], known: set[str], out: Path) -> str:
    """Returns the form of a name that records have: `name` itself, or its canonical name from `find`.

    Raises:
        UsageError: Neither form is among the names in the records, `known`.
    """
    canonical = name
    if name not in known:
        # Fails if the plugin or the file of the name is gone; then only the name as it was recorded can match.
        with suppress(UsageError):
            canonical = find(name).ref.name
    if canonical in known:
        return canonical
    variants = sorted(one for one in known if one.startswith((f"{name}[", f"{name}@")))
    hint = f"; there is {' and '.join(variants[:5])}" if variants else ""
    raise UsageError(f"{out}: no cell with the {axis} {canonical}{hint}")


def _ids_of_suite(catalog: Catalog, name: str) -> set[str]:
    from tlbench.planning.plan import plan
    from tlbench.planning.suite import read_suite

    # `here=False` includes cells whose data or weights are not on this machine.
    return {cell.id for cell in plan(read_suite(catalog.suite(name)), catalog, here=False).cells}


def _print_preview(cells: _Listed, out: Path) -> None:
    rows = [
        (
            stored.id,
            cell.task.name if cell else "?",
            cell.backbone.name if cell and cell.backbone else "-",
            cell.strategy.name if cell else "?",
            status,
            str(len(stored.records)),
        )
        for stored, cell, status in cells[:_SHOWN]
    ]
    print_rows(("cell", "task", "backbone", "strategy", "status", "records"), rows)
    if len(cells) > _SHOWN:
        print(f"and {len(cells) - _SHOWN} more")
    size = size_text(sum(stored.size_bytes for stored, _, _ in cells))
    print(f"{_count(len(cells))} with all records, predictions, models and unfinished work in {printable(out)}: {size}")
    sys.stdout.flush()


def _delete_one(cell: StoredCell) -> bool:
    """Deletes a cell unless another process runs it; returns whether it was deleted."""
    with ExitStack() as leases:
        for folder in cell.work:
            if folder.is_symlink() or not folder.is_dir():
                continue
            lease = CellFolder(folder).lease()
            if lease is None:
                return False
            leases.callback(lease.release)
        cell.delete()
    return True


def _count(cells: int) -> str:
    return "1 cell" if cells == 1 else f"{cells} cells"
