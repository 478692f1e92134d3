"""`tlbench delete`: the options of the command."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tlbench.cli import options as o
from tlbench.cli.shell.completion import complete_cell

_HELP = "Delete cells with this name. Repeatable."


def delete(
    cell: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CELL]...",
            help="Ids of cells, or unique beginnings of ids.",
            show_default=False,
            autocompletion=complete_cell(o.out_folder),
        ),
    ] = None,
    suite: o.SuiteName = None,
    backbone: Annotated[list[str] | None, o.named("backbone", _HELP)] = None,
    task: Annotated[list[str] | None, o.named("task", _HELP)] = None,
    strategy: Annotated[list[str] | None, o.named("strategy", _HELP)] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the ids as JSON (docs/json.md); needs --yes.")] = False,
    data_root: o.DataRoot = None,
    out: o.Out = None,
) -> None:
    """Delete cells, so that a run computes them again.

    Shows what would be deleted and asks. Several options delete only what matches all of them.
    """
    from tlbench.cli.recorded.delete_cells import Chosen
    from tlbench.cli.recorded.delete_cells import delete as delete_cells

    o.set_data_root(data_root)
    chosen = Chosen(tuple(cell or ()), suite, tuple(task or ()), tuple(backbone or ()), tuple(strategy or ()))
    confirm = typer.confirm if sys.stdin.isatty() and sys.stdout.isatty() else None
    delete_cells(o.out_folder(out), chosen, yes, confirm, json_)
