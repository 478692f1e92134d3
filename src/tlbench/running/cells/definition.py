"""What a strategy declared when a search began, so that no search mixes trials of two spaces or of two codes.

It is kept in the cell's folder as definition.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Cell
from tlbench.contracts.space import Choice, Float, Int, Value
from tlbench.running.cells.cell_folder import CellFolder
from tlbench.running.cells.failures import CellFailed
from tlbench.running.cells.hyperparameters import CellSettings, settings_of

_NAME = "definition.json"


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The search space, defaults and code of a cell's strategy."""

    space: dict[str, Float | Int | Choice]
    defaults: dict[str, Value] = {}
    code: dict[str, str] = {}
    """Fingerprints of the source, as in `Provenance`."""


def check_definition(
    folder: CellFolder, cell: Cell, catalog: Catalog, settings: CellSettings, starts_over: bool
) -> None:
    """Compares the strategy with the one that the cell's finished fits are of, and keeps its definition for later.

    Args:
        folder: The cell's folder.
        cell: The cell.
        catalog: The installed plugins.
        settings: The cell's settings.
        starts_over: Whether to drop finished fits of another definition; otherwise the cell fails.

    Raises:
        CellFailed: The strategy has changed.
    """
    now = _definition(cell, catalog, settings)
    change = _change(folder.root, now)
    if change and not starts_over:
        raise CellFailed("failed", changed_text(cell, change))
    if change:
        folder.reset()
    (folder.root / _NAME).write_bytes(msgspec.json.encode(now))


def changed_text(cell: Cell, change: str, others: int = 0) -> str:
    """Returns a message about the changed strategy of an unfinished cell.

    Args:
        cell: The cell.
        change: What has changed.
        others: The number of other unfinished cells with such strategies.
    """
    return (
        f"{cell.strategy.name}: {change} changed after the search of cell {cell.id} had begun"
        f"{f' (and of {others} more)' if others else ''}, and its version is still {cell.strategy.version}:"
        " increase its `version`, or start over with --fresh stale"
    )


def change_since(folder: Path, cell: Cell, catalog: Catalog) -> str:
    """Returns what of a cell's strategy has changed since the unfinished search in a folder began; empty if nothing."""
    # A plugin's mistake is reported by its cell.
    with suppress(Exception, SystemExit):
        if (folder / _NAME).is_file() and not (folder / "record.json").is_file():
            return _change(folder, _definition(cell, catalog, settings_of(catalog, cell)))
    return ""


def _definition(cell: Cell, catalog: Catalog, settings: CellSettings) -> Definition:
    return Definition(settings.space, settings.defaults, catalog.code(cell))


def _change(folder: Path, now: Definition) -> str:
    try:
        before = msgspec.json.decode((folder / _NAME).read_bytes(), type=Definition)
    except (OSError, msgspec.DecodeError):
        return ""
    if not CellFolder(folder).finished():
        return ""
    # As it is stored: a tuple of choices may compare equal to another, as True and 1 do.
    now = msgspec.json.decode(msgspec.json.encode(now), type=Definition)
    changes = []
    if names := _differing(before.space, now.space):
        changes.append(f"its search space ({', '.join(names)})")
    elif names := _differing(before.defaults, now.defaults):
        changes.append(f"its defaults ({', '.join(names)})")
    if any(now.code.get(name, digest) != digest for name, digest in before.code.items()):
        changes.append("its source")
    return " and ".join(changes)


def _differing(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    return [name for name in dict.fromkeys((*before, *now)) if repr(before.get(name)) != repr(now.get(name))]
