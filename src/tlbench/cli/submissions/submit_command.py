"""`tlbench submit`: the options of the command, and what it says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from tlbench.cli import options as o
from tlbench.cli.shell.completion import complete_cell
from tlbench.contracts.errors import UsageError
from tlbench.results.reading.default_folder import expanded
from tlbench.results.render.escaping import printable


def submit(
    to: Annotated[
        Path,
        typer.Option(
            "--to", metavar="FOLDER|FILE.zip", help="New folder, such as leaderboards/NAME in a checkout, or archive."
        ),
    ],
    cell: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CELL]...",
            help="Ids of cells, or unique beginnings of ids; by default all cells of the folder.",
            show_default=False,
            autocompletion=complete_cell(o.out_folder),
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the leaderboard; by default that of --to.", show_default=False)
    ] = None,
    by: Annotated[str, typer.Option(metavar="WHO", help="Who submits it.", show_default=False)] = "",
    note: Annotated[
        str, typer.Option(metavar="TEXT", help="What readers should know, in a line.", show_default=False)
    ] = "",
    json_: o.Json = False,
    out: o.Out = None,
) -> None:
    """Pack records and their predictions for others.

    As a folder for a pull request, or a ZIP archive. Weights, data and unfinished work stay here. `tlbench verify`
    checks what was packed.
    """
    from tlbench.contracts.untrusted.redaction import without_secrets
    from tlbench.results.records.cell_ids import full_id
    from tlbench.results.records.store import Store
    from tlbench.results.submissions.packing import packed_files, with_texts, write_submission

    folder, to = o.out_folder(out), expanded(to)
    store = Store.open(folder)
    known = store.attempts()
    cells = sorted({full_id(given, known) for given in cell}) if cell else sorted(known)
    if not cells:
        raise UsageError(f"{folder}: no records here yet; `tlbench run --out {folder}` makes some")
    files = packed_files(
        store, cells, name or to.stem, *(without_secrets(" ".join(text.split())) for text in (by, note))
    )
    write_submission(files, to)
    if json_:
        print(json.dumps(_as_json(to, cells, files, with_texts(files)), indent=1))
        return
    count = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
    size = sum(map(len, files.values())) / 2**20
    if with_texts(files):
        print("note: targets are texts of the data, which are published with them: look at the data's licence first")
    print(printable(f"{to}: {count} in {len(files)} files, {size:.1f} MiB; `tlbench verify {to}` checks them"))


def _as_json(to: Path, cells: Sequence[str], files: Mapping[str, bytes], with_texts: bool) -> dict[str, object]:
    size = sum(map(len, files.values()))
    return {
        "format": 1,
        "to": str(to),
        "cells": list(cells),
        "files": len(files),
        "bytes": size,
        "with_texts": with_texts,
    }
