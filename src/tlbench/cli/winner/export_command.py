"""`tlbench export`: the options of the command, and what it prints."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tlbench.cli import options as o
from tlbench.cli.shell.completion import complete_cell
from tlbench.cli.winner.predict_command import ChosenSeed, ResultsFolder
from tlbench.contracts.errors import Diverged, UsageError
from tlbench.results.reading.default_folder import expanded
from tlbench.results.render.escaping import printable

if TYPE_CHECKING:
    from tlbench.running.exporting.export_card import ExportFacts


def export(
    cell: Annotated[
        str,
        typer.Argument(
            metavar="CELL", help="Id of a cell, or its beginning.", autocompletion=complete_cell(o.out_folder)
        ),
    ],
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="New folder for the model.")],
    adapter: Annotated[
        bool, typer.Option("--adapter", help="Keep an adapter of peft apart, instead of merging it.")
    ] = False,
    onnx: Annotated[bool, typer.Option("--onnx", help="Write model.onnx too, checked in ONNX Runtime.")] = False,
    seed: ChosenSeed = None,
    data_root: o.DataRoot = None,
    json_: o.Json = False,
    out: ResultsFolder = None,
) -> None:
    """Write a winner as a folder that loads without tlbench.

    transformers, timm or peft load it by their own calls where they have a class for it, and predict.py in the folder
    predicts in every case. The folder is loaded without tlbench before the command ends, and must predict up to 64
    validation rows as the model does. README.md is its model card.
    """
    from tlbench.catalog.catalog import Catalog
    from tlbench.cli.shell.verbosity import note
    from tlbench.cli.winner.standing import standing_of
    from tlbench.running.exporting.export_winner import check_request, export_winner
    from tlbench.running.fitting.libraries import silence_warnings
    from tlbench.running.winners.kept_winner import kept_winner

    o.set_data_root(data_root)
    silence_warnings()
    folder, target = o.out_folder(out), expanded(to)
    # First, so that a mistake costs no fit.
    check_request(target, onnx)
    winner = kept_winner(cell, folder, Catalog.discover(), device="cpu", seed=seed)
    for text in winner.notes:
        note(printable(text))
    standing, ties = standing_of(winner.record, folder)
    try:
        facts = export_winner(winner, target, keep_adapter=adapter, onnx=onnx, ties=ties, standing=standing)
    except Diverged as error:
        raise UsageError(f"{cell}: {error}: its weights are damaged; `tlbench delete` it and run it again") from None
    if json_:
        print(json.dumps(_as_json(facts, target), indent=1))
        return
    checked = f"{facts.checked_rows} rows predicted without tlbench as by the model"
    print(f"{printable(target)}: {facts.files.library}, {checked}")
    for command in _next(facts, target):
        print(command)


def _next(facts: ExportFacts, target: Path) -> tuple[str, str, str]:
    """Returns how to load the folder in Python, its own program, and `tlbench predict`."""
    shown = printable(target)
    # As inside of a Python string.
    loading = facts.files.loading.replace("{folder}", repr(str(target))[1:-1].replace('"', '\\"'))
    # With a slash, as a bare name might be the beginning of a cell's id.
    path = shown if "/" in shown else f"./{shown}"
    program = f"python {shlex.quote(f'{shown}/predict.py')} < rows.jsonl"
    return loading, program, f"tlbench predict {shlex.quote(path)} NEW.csv -o predicted.csv"


def _as_json(facts: ExportFacts, target: Path) -> dict[str, object]:
    loading, program, command = _next(facts, target)
    return {
        "format": 1,
        "folder": str(target),
        "cell": facts.record.cell.id,
        "seed": facts.fit.seed,
        "library": facts.files.library,
        "checked_rows": facts.checked_rows,
        "standing": facts.standing,
        "ties": list(facts.ties),
        "loading": loading,
        "program": program,
        "command": command,
        "onnx": facts.onnx is not None,
    }
