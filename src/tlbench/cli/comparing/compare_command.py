"""`tlbench compare`: the options of the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tlbench.cli import options as o
from tlbench.results.reading.default_folder import expanded

_SIDE = "A cell, a folder of results, FOLDER:CELL, or a file of answers"


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help=f"{_SIDE} (CSV, JSON lines or a list of solved ids).")],
    second: Annotated[str, typer.Argument(metavar="B", help="The same, which is to be no worse than A.")],
    margin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NUMBER",
            help="Loss of B that is no regression, in units of the metric: 0.01 (default) is one point of accuracy; or"
            " METRIC=NUMBER. Repeatable.",
            show_default=False,
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Metric to compare; by default the first of the task.", show_default=False),
    ] = None,
    gold: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Right answers, for files of answers: columns id and target or answer.",
            show_default=False,
        ),
    ] = None,
    examples: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=10_000_000,
            metavar="N",
            help="Number of all examples, for lists of solved ids.",
            show_default=False,
        ),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON (docs/json.md).")] = False,
    out: o.Out = None,
) -> None:
    """Compare two results by a paired test.

    Exit status 1 if a score of B is lower than that of A by more than the margin and the test supports it, or if a
    cell has a score in A and failed in B.
    """
    from tlbench.cli.comparing.compare import CompareOptions, print_comparison

    options = CompareOptions(tuple(margin or ()), metric or "", None if gold is None else expanded(gold), examples)
    raise typer.Exit(print_comparison(first, second, options, o.out_folder(out), json_))
