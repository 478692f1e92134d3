"""The commands, each a few lines, and what becomes of errors: the user's is one line and exit status 2."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Literal

import typer

from tlbench.cli import cache
from tlbench.cli import options as o
from tlbench.contracts.errors import UsageError

app = typer.Typer(
    help="Which pretrained backbone, adapted in which way, is best for this task at this budget?",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(cache.app, name="cache")
Fresh = Literal["none", "failed", "stale", "all"]
FRESH = "Which finished cells to run again; stale: made with other versions, data, threads or device."


@app.command()
def run(
    suite: o.SuiteName = None,
    backbone: o.Backbones = None,
    task: o.Tasks = None,
    strategy: o.Strategies = None,
    trials: o.Trials = None,
    sampler: o.SamplerOption = None,
    pruner: o.PrunerOption = None,
    seeds: o.Seeds = None,
    max_steps: o.Steps = None,
    epochs: o.Epochs = None,
    train_limit: o.TrainLimit = None,
    max_seconds: o.MaxSeconds = None,
    precision: o.PrecisionOption = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Workers; one a GPU or core.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    executor: Annotated[str, typer.Option(help="Where cells run.")] = "isolated",
    fresh: Annotated[Fresh, typer.Option(help=FRESH)] = "none",
    cache_limit: o.CacheLimit = None,
    max_memory: o.MaxMemory = None,
    data_root: o.DataRoot = None,
    out: o.Out = None,
) -> None:
    """Run a suite, or what is left of it, and show the leaderboard."""
    from tlbench.catalog.catalog import Catalog
    from tlbench.cli.plan import print_inferred
    from tlbench.cli.run import run_plan
    from tlbench.running.run import Settings

    o.check_device(device)
    o.limit_cache(cache_limit)
    o.set_data_root(data_root)
    catalog = Catalog.discover()
    protocol = o.patch(trials, seeds, max_steps, epochs, train_limit, max_seconds, precision, sampler, pruner)
    room = o.room(max_memory, device)
    plan = o.planned(catalog, suite, backbone, task, strategy, protocol, room)
    print_inferred(plan, catalog)
    try:
        status = run_plan(plan, catalog, Settings(executor, jobs, device, fresh, room), o.out_folder(out))
    except KeyboardInterrupt:
        status = _say("interrupted; nothing finished is lost, and the same command does the rest", 130)
    raise typer.Exit(status)


@app.command()
def plan(
    suite: o.SuiteName = None,
    backbone: o.Backbones = None,
    task: o.Tasks = None,
    strategy: o.Strategies = None,
    trials: o.Trials = None,
    sampler: o.SamplerOption = None,
    pruner: o.PrunerOption = None,
    seeds: o.Seeds = None,
    max_steps: o.Steps = None,
    epochs: o.Epochs = None,
    train_limit: o.TrainLimit = None,
    max_seconds: o.MaxSeconds = None,
    precision: o.PrecisionOption = None,
    cells: Annotated[bool, typer.Option("--cells", help="Cell by cell, with their ids.")] = False,
    max_memory: o.MaxMemory = None,
    data_root: o.DataRoot = None,
    out: o.Out = None,
) -> None:
    """Show what a run would do: its cells, what is skipped and why, what is done already."""
    from tlbench.catalog.catalog import Catalog
    from tlbench.cli.plan import print_inferred, print_plan

    o.set_data_root(data_root)
    catalog = Catalog.discover()
    protocol = o.patch(trials, seeds, max_steps, epochs, train_limit, max_seconds, precision, sampler, pruner)
    planned = o.planned(catalog, suite, backbone, task, strategy, protocol, o.room(max_memory))
    print_inferred(planned, catalog)
    print_plan(planned, o.out_folder(out), cells)


@app.command("list")
def list_(
    kind: Annotated[
        Literal["all", "backbones", "tasks", "strategies", "metrics", "suites", "renderers", "executors", "plugins"],
        typer.Argument(help="What to list."),
    ] = "all",
    modality: Annotated[Literal["text", "image"] | None, typer.Option(help="Backbones or tasks of this.")] = None,
    family: Annotated[str | None, typer.Option(metavar="NAME", help="Backbones of this family: bert.")] = None,
    max_parameters: Annotated[str | None, typer.Option(metavar="N", help="Backbones up to this size: 30M.")] = None,
    kind_of_output: Annotated[str | None, typer.Option("--kind", help="Tasks that ask for this.")] = None,
    data_root: o.DataRoot = None,
) -> None:
    """List what the installed plugins bring."""
    from tlbench.catalog.catalog import Catalog
    from tlbench.cli.list import Wanted, parse_count, print_list

    o.set_data_root(data_root)
    most = None if max_parameters is None else parse_count(max_parameters, "--max-parameters")
    print_list(Catalog.discover(), kind, Wanted(modality, family, most, kind_of_output))


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A backbone, task, strategy or suite, or the id of a cell.")],
    data_root: o.DataRoot = None,
    out: o.Out = None,
) -> None:
    """Show all that is known of one thing."""
    from tlbench.catalog.catalog import Catalog
    from tlbench.cli.show import print_one

    o.set_data_root(data_root)
    print_one(Catalog.discover(), name, o.out_folder(out))


@app.command()
def fetch(
    suite: o.SuiteName = None,
    backbone: Annotated[
        list[str] | None, typer.Option("--backbone", "-b", metavar="NAME", help="A backbone. Repeatable.")
    ] = None,
    task: Annotated[list[str] | None, typer.Option("--task", "-t", metavar="NAME", help="A task. Repeatable.")] = None,
    data_root: o.DataRoot = None,
) -> None:
    """Bring the weights and the data of a suite to this machine, so that its run needs no network."""
    from tlbench.catalog.catalog import Catalog
    from tlbench.cli.fetch import fetch_all, named_by
    from tlbench.planning.suite import read_suite

    o.set_data_root(data_root)
    if not (suite or backbone or task):
        raise UsageError("say what to fetch: --suite NAME, --backbone NAME or --task NAME")
    catalog = Catalog.discover()
    backbones, tasks = named_by(read_suite(catalog.suite(suite)), catalog) if suite else ((), ())
    try:
        fetch_all(catalog, (*backbones, *(backbone or ())), (*tasks, *(task or ())))
    except KeyboardInterrupt:
        raise typer.Exit(_say("interrupted; what was brought stays, the same command brings the rest", 130)) from None


@app.command()
def leaderboard(
    suite: o.SuiteName = None,
    task: o.Tasks = None,
    everything: Annotated[bool, typer.Option("--all", help="Every record in the folder, not the last run's.")] = False,
    format_: Annotated[
        str, typer.Option("--format", "-f", help="terminal, markdown, csv, json, svg, or a plugin's.")
    ] = "terminal",
    out: o.Out = None,
) -> None:
    """Show the results so far: the last run's, a suite's, or all."""
    from tlbench.cli.leaderboard import print_board

    print_board(o.out_folder(out), suite, tuple(task or ()), everything, format_)


@app.command()
def version() -> None:
    """Show the versions of tlbench and of the plugins."""
    from tlbench.catalog.catalog import Catalog
    from tlbench.cli.list import print_versions

    print_versions(Catalog.discover())


def main() -> None:
    """Runs the command line and exits: 0 all well, 1 a cell without a score, 2 the user's mistake, 130 interrupted."""
    sys.exit(_main(sys.argv[1:]))


def _main(arguments: list[str]) -> int:
    try:
        return int(app(arguments or ["--help"], prog_name="tlbench", standalone_mode=False) or 0)
    except typer.Exit as end:
        return end.exit_code
    except UsageError as error:
        return _say(str(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        return _say("interrupted", 130)
    except BrokenPipeError:
        # The reader of a pipe has gone; Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (OSError, UnicodeError) as error:
        return _say(f"{type(error).__name__}: {error}", 2)
    except Exception as error:
        # The parser's own errors: typer may carry its own copy of click, so they are known by what they can do.
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            return _say(error.format_message(), int(error.exit_code))
        raise


def _say(message: str, status: int) -> int:
    from tlbench.results.render.escaping import printable

    print(f"tlbench: {printable(' '.join(message.split()))}", file=sys.stderr)
    return status
