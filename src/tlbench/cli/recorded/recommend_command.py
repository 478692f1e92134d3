"""`tlbench recommend`: the options of the command."""

from __future__ import annotations

from typing import Annotated

import typer

from tlbench.cli import options as o


def recommend(
    task: Annotated[
        list[str] | None, o.named("task", "Task, as it was given to `run`, or a pattern; all by default. Repeatable.")
    ] = None,
    max_memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Most memory of a fit, as 2GB: of the GPU if it ran on one.", show_default=False
        ),
    ] = None,
    max_seconds: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="Most time of all work on a cell: search, fits and predictions.",
            show_default=False,
        ),
    ] = None,
    max_parameters: Annotated[
        str | None,
        typer.Option(metavar="N", help="Most parameters of a model, trained or not, as 30M.", show_default=False),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the recommendations as JSON (docs/json.md).")] = False,
    out: o.Out = None,
) -> None:
    """Say which combination to take, from what is recorded.

    Of the rows that no test tells apart from the best, it is the cheapest. Exit status 1 if no row is within
    the limits.
    """
    from tlbench.cli.arguments.counts import parse_count
    from tlbench.cli.recorded.recommendation_texts import print_recommendations
    from tlbench.modeling.disk.cache_settings import parse_size
    from tlbench.results.recommendation.costs import CostLimits

    limits = CostLimits(
        None if max_memory is None else parse_size(max_memory, "--max-memory"),
        max_seconds,
        None if max_parameters is None else parse_count(max_parameters, "--max-parameters"),
    )
    raise typer.Exit(print_recommendations(o.out_folder(out), tuple(task or ()), limits, json_))
