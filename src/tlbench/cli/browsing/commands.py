"""The options of `tlbench list`, `show` and `version`."""

# typer evaluates the annotations, so their types cannot be imported under TYPE_CHECKING.
from __future__ import annotations

from typing import Annotated, Literal

import typer

from tlbench.cli import options as o
from tlbench.cli.shell.completion import complete_kind_of_output, complete_shown


def list_(
    kind: Annotated[
        Literal[
            "all",
            "backbones",
            "tasks",
            "strategies",
            "metrics",
            "suites",
            "renderers",
            "executors",
            "policies",
            "plugins",
        ],
        typer.Argument(help="Kind of object to list."),
    ] = "all",
    modality: Annotated[
        Literal["text", "image"] | None, typer.Option(help="List backbones or tasks of this modality.")
    ] = None,
    family: Annotated[
        str | None, typer.Option(metavar="NAME", help="List backbones of this family, such as bert.")
    ] = None,
    max_parameters: Annotated[
        str | None, typer.Option(metavar="N", help="List backbones with at most so many parameters, such as 30M.")
    ] = None,
    kind_of_output: Annotated[
        str | None,
        typer.Option(
            "--kind",
            help="List tasks with this kind of output, such as classes.",
            autocompletion=complete_kind_of_output,
        ),
    ] = None,
    data_root: o.DataRoot = None,
) -> None:
    """List the objects of the installed plugins."""
    from tlbench.catalog.catalog import Catalog
    from tlbench.cli.browsing.list import Filter, parse_count, print_list

    o.set_data_root(data_root)
    limit = None if max_parameters is None else parse_count(max_parameters, "--max-parameters")
    print_list(Catalog.discover(), kind, Filter(modality, family, limit, kind_of_output))


def show(
    name: Annotated[
        str,
        typer.Argument(
            help="A backbone, task, strategy or suite, or the id of a cell.",
            autocompletion=complete_shown(o.out_folder),
        ),
    ],
    backbone: Annotated[str | None, o.named("backbone", "What the strategy searches with this backbone.")] = None,
    task: Annotated[str | None, o.named("task", "What the strategy searches on this task.")] = None,
    format_: Annotated[
        Literal["terminal", "json"],
        typer.Option("--format", "-f", help="terminal, or json: scores and search of a cell."),
    ] = "terminal",
    data_root: o.DataRoot = None,
    out: o.Out = None,
) -> None:
    """Show one backbone, task, strategy, suite or cell."""
    from tlbench.catalog.catalog import Catalog
    from tlbench.cli.browsing.show import print_one

    o.set_data_root(data_root)
    print_one(Catalog.discover(), name, o.out_folder(out), backbone, task, format_ == "json")


def version() -> None:
    """Show the versions of tlbench and of the plugins."""
    from tlbench.catalog.catalog import Catalog
    from tlbench.cli.browsing.list import print_versions

    print_versions(Catalog.discover())
