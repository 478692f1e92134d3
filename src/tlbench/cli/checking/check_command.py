"""`tlbench check`: the options of the command."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from tlbench.cli import options as o
from tlbench.cli.shell.completion import complete_names


def check(
    task: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TASK]...", help="Tasks, such as csv:reviews.csv.", autocompletion=complete_names("task")
        ),
    ] = None,
    suite: o.SuiteName = None,
    backbone: Annotated[
        list[str] | None,
        o.named("backbone", "Count the texts that this backbone cuts. Repeatable."),
    ] = None,
    test_labels: Annotated[
        bool, typer.Option("--test-labels", help="Check the labels of the test split too, which a run keeps sealed.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with status 1 if there is a warning.")] = False,
    data_root: o.DataRoot = None,
) -> None:
    """Check the data of tasks before training.

    Finds empty, repeated and cut texts, inputs that two splits share, contradictory or similar labels, rare and
    unbalanced classes, and says what to do about each.
    """
    from tlbench.catalog.catalog import Catalog
    from tlbench.cli.checking.check import print_checks

    o.set_data_root(data_root)
    use: Literal["labels", "inputs"] = "labels" if test_labels else "inputs"
    warnings = print_checks(Catalog.discover(), task or (), suite, backbone or (), test=use, as_json=json_)
    raise typer.Exit(1 if strict and warnings else 0)
