"""python -m tools.leaderboards.site FOLDER: makes a site of all committed leaderboards, with an index.

Equal records give equal bytes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tlbench.cli.board.board_choice import BoardChoice
from tlbench.cli.board.report_files import write_files
from tlbench.cli.leaderboard import board_of
from tlbench.contracts.errors import UsageError
from tlbench.results.records.store import Store
from tlbench.results.render.page import Page
from tlbench.results.render.report.html import Html
from tlbench.results.render.report.site_index import SiteEntry, index_files, site_entry
from tlbench.results.submissions.manifest import MANIFEST
from tools.leaderboards.tables import Table, read_tables

ROOT = Path(__file__).resolve().parents[2]
TIERS_FILE = "tiers.json"
"""What `tlbench verify --to` found of the committed records; no submission may change it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the site; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.leaderboards.site", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder to write")
    parser.add_argument("tables", nargs="*", help="names of leaderboards/tables.toml; default: all")
    parser.add_argument("--checkout", type=Path, default=ROOT, help="the repository; default: this one")
    options = parser.parse_args(arguments)
    try:
        tables = read_tables(options.checkout / "leaderboards" / "tables.toml", options.tables)
        number = write_files(options.folder, site_files(options.checkout, tables, not options.tables))
    except (ValueError, UsageError) as error:
        parser.error(str(error))
    print(f"{options.folder}: {number} files; open {options.folder / 'index.html'}")
    return 0


def site_files(root: Path, tables: Sequence[Table], whole: bool = False) -> Iterator[tuple[str, bytes]]:
    """Yields the files of the site: a folder for each leaderboard with committed records, and the index.

    Args:
        root: The folder of the repository.
        tables: The project's own leaderboards.
        whole: Whether to add those that others submitted.
    """
    entries = []
    for table in tables:
        folder = root / "leaderboards" / table.name
        if table.records != "committed":
            entries.append(SiteEntry(table.name, remark=f"Its records are not committed: {table.records}."))
        elif not (folder / "tlbench.json").is_file():
            entries.append(SiteEntry(table.name, remark="It has not been made yet."))
        else:
            entry, files = _board(root, folder)
            entries.append(entry)
            yield from files
    for folder in submitted_folders(root) if whole else ():
        entry, files = _board(root, folder)
        entries.append(entry)
        yield from files
    yield from index_files("Leaderboards", entries)


def submitted_folders(root: Path) -> list[Path]:
    """Returns the folders of `leaderboards` that others submitted."""
    return sorted(path.parent for path in (root / "leaderboards").glob(f"*/{MANIFEST}"))


def _board(root: Path, folder: Path) -> tuple[SiteEntry, Iterator[tuple[str, bytes]]]:
    """Returns the entry of a leaderboard in the index, and its files."""
    store = Store.open(folder)
    board = board_of(store, BoardChoice(tiers=str(root / "leaderboards" / TIERS_FILE)))
    page = Page(board.table, folder.name, board.command, view=board.view)
    files = ((f"{folder.name}/{name}", content) for name, content in Html(home="../index.html").files(page, store))
    return site_entry(page, f"{folder.name}/index.html"), files


if __name__ == "__main__":
    sys.exit(main())
