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
    json_: Annotated[bool, typer.Option("--json", help="Print the objects as JSON (docs/json.md).")] = False,
    data_root: o.DataRoot = None,
) -> None:
    """List the objects of the installed plugins."""
    from tlbench.catalog.catalog import Catalog
    from tlbench.cli.arguments.counts import parse_count
    from tlbench.cli.browsing.list import Filter, print_list

    o.set_data_root(data_root)
    limit = None if max_parameters is None else parse_count(max_parameters, "--max-parameters")
    wanted = Filter(modality, family, limit, kind_of_output)
    if json_:
        from tlbench.cli.browsing.list_json import list_json

        print(list_json(Catalog.discover(), kind, wanted))
    else:
        print_list(Catalog.discover(), kind, wanted)


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
        typer.Option("--format", "-f", help="terminal, or json, as --json."),
    ] = "terminal",
    json_: Annotated[
        bool,
        typer.Option("--json", help="Print the facts, or a cell's scores and search, as JSON (docs/json.md)."),
    ] = False,
    data_root: o.DataRoot = None,
    out: o.Out = None,
) -> None:
    """Show one backbone, task, strategy, suite or cell."""
    from tlbench.catalog.catalog import Catalog
    from tlbench.cli.browsing.show import print_one

    o.set_data_root(data_root)
    print_one(Catalog.discover(), name, o.out_folder(out), backbone, task, json_ or format_ == "json")


def skill() -> None:
    """Print a page for coding assistants.

    It says how to add a data set, run it and read the winner.
    """
    from tlbench.cli.browsing.skill import print_skill

    print_skill()


def version(
    json_: Annotated[bool, typer.Option("--json", help="Print the versions as JSON (docs/json.md).")] = False,
) -> None:
    """Show the versions of tlbench and of the plugins."""
    from tlbench.catalog.catalog import Catalog
    from tlbench.cli.browsing.list import print_versions

    if json_:
        from tlbench.cli.browsing.list_json import versions_json

        print(versions_json(Catalog.discover()))
    else:
        print_versions(Catalog.discover())
