"""python -m tools.leaderboards: prints the minutes that each leaderboard needs, then makes those that are missing.

After an interruption the same command does the rest: finished cells are not run again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tlbench.catalog.catalog import Catalog
from tlbench.results.records.deletion import stored_cells
from tools.leaderboards.bill import bill, planned, text
from tools.leaderboards.tables import Table, read_tables

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the bill and, without --bill, runs the tables; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.leaderboards", description=__doc__)
    parser.add_argument("tables", nargs="*", help="names of leaderboards/tables.toml; default: all")
    parser.add_argument("--bill", action="store_true", help="print the minutes alone")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="number of workers (one per core)")
    parser.add_argument("--checkout", type=Path, default=ROOT, help="the repository; default: this one")
    options = parser.parse_args(arguments)
    root = options.checkout.resolve()
    try:
        tables = read_tables(root / "leaderboards" / "tables.toml", options.tables)
    except ValueError as error:
        parser.error(str(error))
    print(text(bill(tables, root, Catalog.discover()), options.jobs), flush=True)
    if options.bill:
        return 0
    return max([_make(table, root, options.jobs) for table in tables], default=0)


def _make(table: Table, root: Path, jobs: int) -> int:
    """Runs what is missing of one table and writes its page; returns the exit status of the run."""
    if table.needs_data and not os.environ.get("TLBENCH_DATA"):
        print(f"{table.name}: left out, since TLBENCH_DATA names no folder of data", flush=True)
        return 0
    began, out = time.monotonic(), f"leaderboards/{table.name}"
    command = ["run", "--suite", table.suite, "--out", out, "--jobs", str(jobs)]
    print(f"tlbench {' '.join(command)}", flush=True)
    status = subprocess.run([sys.executable, "-m", "tlbench", *command], cwd=root, check=False).returncode
    if status == 0:
        remove_unplanned(table, root)
        page = [sys.executable, "-m", "tlbench", "leaderboard", "--out", out, "-f", "markdown"]
        content = subprocess.run(page, cwd=root, check=True, capture_output=True).stdout
        (root / f"{out}.md").write_bytes(content)
    print(f"{table.name}: exit status {status}, {(time.monotonic() - began) / 60:.1f} minutes", flush=True)
    return status


def remove_unplanned(table: Table, root: Path) -> None:
    """Removes from a table's folder the cells that its suite no longer has, which its page would still show."""
    wanted = {cell.id for cell in planned(table, root, Catalog.discover()).cells}
    for cell_id, stored in stored_cells(root / "leaderboards" / table.name).items():
        if cell_id not in wanted:
            stored.delete()


if __name__ == "__main__":
    sys.exit(main())
