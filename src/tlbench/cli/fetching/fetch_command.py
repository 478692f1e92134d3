"""`tlbench fetch`: the options of the command."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tlbench.cli import options as o
from tlbench.contracts.errors import UsageError
from tlbench.system.stop_signals import exit_status


def fetch(
    suite: o.SuiteName = None,
    backbone: Annotated[list[str] | None, o.named("backbone", "Backbone to fetch. Repeatable.")] = None,
    task: Annotated[list[str] | None, o.named("task", "Task to fetch. Repeatable.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print what was fetched as JSON (docs/json.md).")] = False,
    data_root: o.DataRoot = None,
) -> None:
    """Download the weights and data of a suite.

    Its run then needs no network.
    """
    from tlbench.catalog.catalog import Catalog
    from tlbench.cli.fetching.fetch import fetch_all, names_in_suite
    from tlbench.planning.suite import read_suite

    o.set_data_root(data_root)
    if not (suite or backbone or task):
        raise UsageError("nothing to fetch: give --suite NAME, --backbone NAME or --task NAME")
    catalog = Catalog.discover()
    backbones, tasks = names_in_suite(read_suite(catalog.suite(suite)), catalog) if suite else ((), ())
    try:
        fetch_all(catalog, (*backbones, *(backbone or ())), (*tasks, *(task or ())), json_)
    except KeyboardInterrupt as stop:
        print("tlbench: interrupted; what was fetched is kept, and the same command fetches the rest", file=sys.stderr)
        raise typer.Exit(exit_status(stop)) from None
