"""`tlbench map`: the options of the command, and what it prints."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from tlbench.api.requested_plan import check_device
from tlbench.cli import options as o
from tlbench.cli.shell.completion import complete_cell
from tlbench.cli.winner.predict_command import ChosenSeed, ResultsFolder
from tlbench.contracts.errors import UsageError


def map_features(
    cells: Annotated[
        list[str],
        typer.Argument(
            metavar="CELL...", help="Ids of cells, or their beginnings.", autocompletion=complete_cell(o.out_folder)
        ),
    ],
    examples: Annotated[int, typer.Option(min=3, max=500, help="Number of test examples.")] = 500,
    seed: ChosenSeed = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    data_root: o.DataRoot = None,
    json_: o.Json = False,
    out: ResultsFolder = None,
) -> None:
    """Map the features of test examples, for the report.

    The fitted encoder reads up to 500 test examples, and their first two principal components are kept in the folder
    `maps` of the results; the page of the cell in `tlbench leaderboard --to FOLDER` draws them, coloured by class.
    Records stay as they are. Without a kept model (`tlbench run --keep-models`) the winner is fitted again first.
    """
    from tlbench.catalog.catalog import Catalog
    from tlbench.cli.shell.verbosity import note
    from tlbench.results.pictures.stored_map import write_map
    from tlbench.results.records.store import Store
    from tlbench.results.render.escaping import printable
    from tlbench.running.fitting.libraries import silence_warnings
    from tlbench.running.winners.feature_map import feature_map
    from tlbench.running.winners.kept_winner import kept_winner

    check_device(device)
    o.set_data_root(data_root)
    silence_warnings()
    folder, catalog = o.out_folder(out), Catalog.discover()
    written: list[dict[str, object]] = []
    for cell in cells:
        winner = kept_winner(cell, folder, catalog, device=device, seed=seed)
        for text in winner.notes:
            note(printable(text))
        predictions = Store(folder).predictions(winner.record)
        if predictions is None:
            raise UsageError(f"{winner.record.cell.title}: it has no stored test predictions to map")
        found = feature_map(winner, examples)
        try:
            path = write_map(predictions, found)
        except OSError as error:
            raise UsageError(f"{folder}: the map cannot be written: {error.strerror or error}") from None
        if json_:
            facts = {"cell": winner.record.cell.id, "file": str(path), "examples": len(found.examples)}
            written.append({**facts, "explained": [float(share) for share in found.explained]})
            continue
        shares = " and ".join(f"{100 * share:.0f}%" for share in found.explained)
        title = printable(winner.record.cell.title)
        print(f"{title}: {len(found.examples)} examples, {shares} of the variance: {printable(path)}")
    if json_:
        print(json.dumps({"format": 1, "maps": written}, indent=1))
