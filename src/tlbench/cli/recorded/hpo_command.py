"""`tlbench hpo`: shows the searches of a results folder in optuna-dashboard."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tlbench.cli import options as o
from tlbench.contracts.cell import Cell
from tlbench.contracts.errors import UsageError
from tlbench.results.reading.default_folder import expanded
from tlbench.results.render.escaping import printable

if TYPE_CHECKING:
    from tlbench.results.records.store import Store

PROGRAM = "optuna-dashboard"
STUDIES = "studies.journal"


def hpo(
    out: o.Out = None,
    export: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the studies into this file and start nothing.", show_default=False),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the dashboard, on this machine alone.")] = 8080,
    json_: Annotated[
        bool, typer.Option("--json", help="With --export, print the outcome as JSON (docs/json.md).")
    ] = False,
) -> None:
    """Show all searches in optuna-dashboard.

    Each cell is an Optuna study, named by backbone, task and strategy, in the metric's own sign and direction, with
    learning curves. Searches that are running are shown as far as they are; start the command again for newer trials.
    """
    from tlbench.results.records.store import Store

    if json_ and export is None:
        raise UsageError(
            "--json says what was written: give --export FILE too, as the dashboard does not end by itself"
        )
    folder = o.out_folder(out)
    store = Store.open(folder)
    # Before anything is written: nobody looks at the file alone by this command.
    program = None if export else _dashboard()
    path = expanded(export) if export else folder / STUDIES
    studies = _write(store, path)
    if json_:
        print(json.dumps({"format": 1, "file": str(path), "studies": studies}, indent=1))
        return
    print(printable(f"{studies} studies in {path}"), flush=True)
    if program is None:
        print(printable(f"`{PROGRAM} {path} --storage-class JournalFileStorage` shows them"))
        return
    command = [program, str(path), "--storage-class", "JournalFileStorage", "--port", str(port)]
    raise typer.Exit(subprocess.run(command, check=False).returncode)


def _write(store: Store, path: Path) -> int:
    from tlbench.catalog.catalog import Catalog
    from tlbench.running.studies.stored_searches import StoredSearch, stored_searches
    from tlbench.running.studies.study_storage import write_studies

    searches: list[StoredSearch] = []
    for found in stored_searches(store, Catalog.discover()):
        if isinstance(found, Cell):
            print(printable(f"tlbench: {found.title} is left out: its metric is not installed"), file=sys.stderr)
        else:
            searches.append(found)
    if not searches:
        raise UsageError(
            f"{store.root}: no cell has a search yet: it takes a strategy with hyperparameters and --trials 2"
        )
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}")
    return write_studies(path, searches)


def _dashboard() -> str:
    """Returns the path of optuna-dashboard, beside this Python or on the path.

    Raises:
        UsageError: It is not installed.
    """
    beside = Path(sys.executable).with_name(PROGRAM)
    found = str(beside) if beside.is_file() else shutil.which(PROGRAM)
    if found is None:
        raise UsageError(f"{PROGRAM} is not installed: pip install 'tlbench[dashboard]', or write a file with --export")
    return found
