"""`tlbench predict`: the options of the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tlbench.api.requested_plan import check_device
from tlbench.cli import options as o
from tlbench.cli.shell.completion import complete_cell
from tlbench.results.reading.default_folder import expanded

ResultsFolder = Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="Folder of results.")]
ChosenSeed = Annotated[
    int | None,
    typer.Option("--seed", min=0, help="Final fit to use. Default: that with the best validation score."),
]


def predict(
    cell: Annotated[
        str,
        typer.Argument(
            metavar="CELL|FOLDER",
            help="Id of a cell, or its beginning; or the folder of an exported model.",
            autocompletion=complete_cell(o.out_folder),
        ),
    ],
    source: Annotated[
        Path,
        typer.Argument(metavar="FILE|FOLDER", help="CSV, TSV, JSON lines, Parquet, lines of text, or images."),
    ],
    to: Annotated[Path, typer.Option("--to", "-o", metavar="FILE", help="CSV file to write.")],
    text: Annotated[
        list[str] | None,
        typer.Option("--text", metavar="COLUMN", help="Column of the input; twice for pairs, in their order."),
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities/--no-probabilities", help="Write a column for each class.")
    ] = True,
    seed: ChosenSeed = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    data_root: o.DataRoot = None,
    json_: o.Json = False,
    out: ResultsFolder = None,
) -> None:
    """Predict new rows with a winner or an exported folder.

    The file that is written has all columns and rows of the input in their order, and in addition: prediction,
    confidence (the calibrated probability that it is right), p(NAME) for each class, and problem, which says why a row
    could not be predicted. Without a kept model (`tlbench run --keep-models`) the winner is fitted again first.
    """
    from tlbench.cli.winner.prediction_file import ChosenWinner, predict_file

    check_device(device)
    o.set_data_root(data_root)
    chosen = ChosenWinner(cell, o.out_folder(out), seed, device)
    written = predict_file(chosen, expanded(source), expanded(to), text or (), probabilities)
    if json_:
        print(json.dumps(written.as_json(), indent=1))
    raise typer.Exit(written.exit_status)
