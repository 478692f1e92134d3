"""The command `tlbench leaderboard`: its options and their help texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tlbench.cli import options as o
from tlbench.cli.shell.completion import complete_names
from tlbench.contracts.errors import UsageError

_SHOWS = "as it was given to `run`, or a pattern such as 'toy-*'. Repeatable."
ShownTasks = Annotated[list[str] | None, o.named("task", f"Show the task, {_SHOWS}")]
ShownBackbones = Annotated[
    list[str] | None,
    o.named("backbone", "Show the backbone, likewise; baselines stay."),
]
ShownStrategies = Annotated[
    list[str] | None,
    o.named("strategy", "Show the strategy, likewise; baselines stay."),
]
Conditions = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="CONDITION",
        help="Show rows that meet a condition, such as 'score>=80', or several: \"memory<2GB and not strategy=lora*\"."
        " Repeatable.",
        show_default=False,
    ),
]
SortColumn = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN", help="Sort each task's rows by a column; -COLUMN turns the order round.", show_default=False
    ),
]
ShownColumns = Annotated[
    str | None, typer.Option(metavar="A,B,...", help="Columns to show, in this order.", show_default=False)
]
RankingMetric = Annotated[
    str | None, typer.Option(metavar="NAME", help="Rank by another metric on record.", show_default=False)
]
RowMargins = Annotated[
    list[str] | None,
    typer.Option(
        "--margin",
        metavar="POINTS",
        help="Difference up to which rows count as practically equal: 1 point, or METRIC=NUMBER. Repeatable.",
        show_default=False,
    ),
]

ParetoCosts = Annotated[
    list[str] | None,
    typer.Option(
        "--cost",
        metavar="COLUMN",
        help="Cost of --pareto: fit, memory, trained, ...; by default total_seconds. Repeatable.",
        show_default=False,
    ),
]
BestBy = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="COLUMN",
        help="Show the best row of each task for each value of a column, such as backbone.",
        show_default=False,
    ),
]
OutOrFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FOLDER|FILE",
        help=f"Folder of results (${o.OUT_VARIABLE}; {o.DEFAULT_OUT}), or a file to write in the format of its suffix,"
        " such as A.csv or B.md. Repeatable.",
        show_default=False,
    ),
]
ToFolder = Annotated[
    Path | None,
    typer.Option(
        "--to", metavar="FOLDER", help="Folder to write a report to: pages for a browser.", show_default=False
    ),
]

TiersFile = Annotated[
    Path | None,
    typer.Option(
        "--tiers",
        metavar="FILE",
        help="With --to: show how far each row was checked, by a file of `tlbench verify --to`.",
        show_default=False,
    ),
]


def leaderboard(
    suite: o.SuiteName = None,
    task: ShownTasks = None,
    backbone: ShownBackbones = None,
    strategy: ShownStrategies = None,
    filter_: Conditions = None,
    pareto: Annotated[
        bool, typer.Option("--pareto", help="Show the rows that no other row beats in score and cost together.")
    ] = False,
    cost: ParetoCosts = None,
    by: BestBy = None,
    sort: SortColumn = None,
    columns: ShownColumns = None,
    metric: RankingMetric = None,
    margin: RowMargins = None,
    ensemble: Annotated[
        bool,
        typer.Option(
            "--ensemble",
            help="Add a row to each task: an average of its fits, chosen on validation, without any training.",
        ),
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Show every record in the folder, not only those of the last run.")
    ] = False,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            help="terminal (default), cost-score (plots), markdown, csv, json, latex, svg, critical-difference,"
            " label-efficiency, html (needs --to), or a plugin's.",
            autocompletion=complete_names("renderer"),
        ),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="The same as --format json (docs/json.md).")] = False,
    out: OutOrFiles = None,
    to: ToFolder = None,
    tiers: TiersFile = None,
) -> None:
    """Show the results of the last run, a suite or all runs.

    Rows that options hide count in the ranks.
    """
    from tlbench.cli.board.board_choice import DEFAULT_COST, BoardChoice
    from tlbench.cli.board.board_files import check_report_folder, folder_and_files
    from tlbench.cli.leaderboard import print_board
    from tlbench.results.reading.default_folder import expanded

    if json_ and format_ not in {None, "json"}:
        raise UsageError(f"--json and --format {format_} both choose a format: give one")
    format_ = "json" if json_ else format_
    folder, files = folder_and_files(out or (), format_)
    tasks, backbones, strategies, conditions = (tuple(axis or ()) for axis in (task, backbone, strategy, filter_))
    choice = BoardChoice(
        tasks,
        backbones,
        strategies,
        conditions,
        sort or "",
        columns or "",
        metric or "",
        tuple(margin or ()),
        ensemble,
        ",".join(cost or (DEFAULT_COST,)) if pareto or cost else "",
        by or "",
        "" if tiers is None else str(expanded(tiers)),
    )
    if tiers is not None and (to is None or not expanded(tiers).is_file()):
        problem = "it shows in a report: give --to FOLDER too" if to is None else "no such file"
        raise UsageError(f"--tiers {tiers}: {problem}")
    # Only one format makes a folder, so --to says enough.
    format_ = format_ or ("html" if to else "terminal")
    to = to and expanded(to)
    if to is not None:
        check_report_folder(to, folder)
    print_board(folder, suite, choice, everything, format_, files, to)
