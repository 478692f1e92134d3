"""The bill: for each leaderboard, its cells, how many of them are missing, and the minutes of work they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Plan
from tlbench.contracts.errors import StoreError
from tlbench.planning.plan import plan
from tlbench.planning.suite import read_suite
from tlbench.results.records.store import Store
from tools.leaderboards.costs import MeasuredCosts
from tools.leaderboards.tables import Table


@dataclass(frozen=True)
class Item:
    """One line of the bill. Minutes are of work: two workers take half of them."""

    table: str
    cells: int
    missing: int
    skipped: int
    """Combinations that cannot be run here, such as those whose data is absent."""
    measured: float
    """Minutes that the recorded cells took."""
    estimated: float
    """Minutes that the missing cells are estimated to take, without those that nothing measured is like."""
    unknown: int
    """Missing cells without an estimate."""


def bill(tables: Sequence[Table], root: Path, catalog: Catalog) -> list[Item]:
    """Returns one line a table; `root` is the folder of the repository."""
    costs = MeasuredCosts(catalog)
    for folder in sorted((root / "leaderboards").glob("*/tlbench.json")):
        costs.add(folder.parent)
    return [_item(table.name, planned(table, root, catalog), _recorded(root, table), costs) for table in tables]


def planned(table: Table, root: Path, catalog: Catalog) -> Plan:
    """Returns the plan of a table's suite."""
    file = root / table.suite
    return plan(read_suite(file if file.suffix == ".toml" else catalog.suite(table.suite)), catalog)


def text(items: Sequence[Item], workers: int) -> str:
    """Returns the bill as a table, with the sum of the minutes that are left."""
    head = ("table", "cells", "missing", "skipped", "minutes measured", "minutes left", "no estimate")
    rows = [
        (
            item.table,
            str(item.cells),
            str(item.missing),
            str(item.skipped),
            f"{item.measured:.1f}",
            f"{item.estimated:.1f}",
            str(item.unknown or ""),
        )
        for item in items
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
    left = sum(item.estimated for item in items)
    return "\n".join([*map(str.rstrip, lines), f"about {left:.0f} minutes of work left, {left / workers:.0f} on {workers} workers"])


def _item(name: str, plan_: Plan, recorded: set[str], costs: MeasuredCosts) -> Item:
    missing = [cell for cell in plan_.cells if cell.id not in recorded]
    estimates = [costs.estimate(cell) for cell in missing]
    measured = [costs.measured(cell) or 0.0 for cell in plan_.cells if cell.id in recorded]
    return Item(
        name,
        len(plan_.cells),
        len(missing),
        len(plan_.skips),
        sum(measured) / 60,
        sum(seconds for seconds in estimates if seconds is not None) / 60,
        estimates.count(None),
    )


def _recorded(root: Path, table: Table) -> set[str]:
    try:
        return set(Store.open(root / "leaderboards" / table.name).attempts())
    except StoreError:  # nothing is recorded yet
        return set()
