"""The commands and their options, and the exit status of errors.

A user's mistake is one line on stderr and exit status 2; anything unexpected is a traceback. Modules that take long to
import are imported inside the commands, so that `tlbench --help` and completion stay fast.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Annotated

import typer

from tlbench.api.checked_options import retried
from tlbench.api.requested_plan import check_device, memory_room
from tlbench.cli import cache, more_commands
from tlbench.cli import options as o
from tlbench.cli.arguments.parser_errors import reworded
from tlbench.cli.arguments.protocol_options import patch
from tlbench.cli.arguments.seeds import read_seeds
from tlbench.cli.browsing import commands as browsing
from tlbench.cli.checking import check_command
from tlbench.cli.fetching import fetch_command
from tlbench.cli.finding import find_command
from tlbench.cli.recorded import board_command, delete_command
from tlbench.cli.shell import verbosity
from tlbench.cli.shell.completion import complete_names
from tlbench.cli.shell.os_errors import line_of
from tlbench.cli.shell.platform_support import check_platform
from tlbench.cli.shell.plugin_commands import ExtensibleGroup
from tlbench.cli.winner import export_command, predict_command
from tlbench.contracts.errors import UsageError
from tlbench.results.reading.default_folder import search_in
from tlbench.system.standard_streams import end_of_pipe, prepare_streams
from tlbench.system.stop_signals import Interrupted, exit_status, stop_on_signals

EXIT_STATUS = (
    "Exit status: 0 success; 1 a cell has no score, or compare, merge, recommend, verify, collect, plugin check,"
    " plugin doctor or check --strict says no;"
    " 2 a mistake in the command, a file or the environment, in one line;"
    " 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP: what is finished is kept; 141 the reader of a pipe has closed it."
)
app = typer.Typer(
    cls=ExtensibleGroup,
    epilog=EXIT_STATUS,
    no_args_is_help=True,
    # Help texts have brackets, as in name[key=value], which rich would read as markup.
    rich_markup_mode=None,
    # typer's own tracebacks can print local variables, with the data and tokens that are in them.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(cache.app, name="cache")


def _print_version(wanted: bool) -> None:
    if wanted:
        from tlbench import __version__

        print(f"tlbench {__version__}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", "-V", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Compare pretrained backbones and ways to adapt them on your tasks, at an equal budget."""


# The docstrings are the help texts. typer evaluates the annotations, so their types are imported at run time.


@app.command()
def run(
    suite: o.SuiteName = None,
    backbone: o.Backbones = None,
    task: o.Tasks = None,
    strategy: o.Strategies = None,
    like: o.Like = None,
    baseline: o.Baseline = True,
    trials: o.Trials = None,
    sampler: o.SamplerOption = None,
    pruner: o.PrunerOption = None,
    seeds: o.Seeds = None,
    seed: o.Seed = None,
    max_steps: o.Steps = None,
    epochs: o.Epochs = None,
    train_limit: o.TrainLimit = None,
    train_fraction: o.TrainFraction = None,
    shots: o.Shots = None,
    validation: o.ValidationOption = None,
    folds: o.FoldsOption = None,
    final: o.FinalOption = None,
    max_seconds: o.MaxSeconds = None,
    precision: o.PrecisionOption = None,
    set_: o.Set = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Number of workers; by default one per GPU or core.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    devices: o.Devices = 1,
    executor: Annotated[
        str,
        typer.Option(help="How workers run; see `tlbench list executors`.", autocompletion=complete_names("executor")),
    ] = "isolated",
    fresh: o.FreshOption = "none",
    retry: o.Retry = None,
    keep_models: o.KeepModelsOption = "none",
    submit: o.SubmitOption = False,
    storage: o.StorageOption = None,
    cache_limit: o.CacheLimit = None,
    max_memory: o.MaxMemory = None,
    data_root: o.DataRoot = None,
    out: o.Out = None,
    json_: o.RunJson = False,
) -> None:
    """Run a suite and show its leaderboard.

    Cells that are finished are not run again, so the same command goes on after an interruption.
    """
    from tlbench.catalog.catalog import Catalog
    from tlbench.cli.batch_jobs.submit_plan import submit_plan
    from tlbench.cli.plan import print_devices, print_inferred
    from tlbench.cli.run import run_plan
    from tlbench.running.run import Settings

    check_device(device)
    o.check_json(json_, submit)
    o.limit_cache(cache_limit)
    o.set_data_root(data_root)
    search_in(o.out_folder(out))
    catalog = Catalog.discover()
    protocol = patch(
        trials,
        read_seeds(seeds, seed),
        max_steps,
        epochs,
        train_limit,
        train_fraction,
        shots,
        validation,
        max_seconds,
        precision,
        sampler,
        pruner,
        folds,
        final,
    )
    room = memory_room(max_memory, device, devices)
    selection = o.selection(backbone, task, strategy, protocol, like, baseline, set_)
    plan = o.planned(catalog, suite, selection, room, fetch=True)
    print_inferred(plan, catalog)
    print_devices(plan, catalog, devices)
    again = retried(retry or (), "--retry ")
    storage = o.storage_url(storage, submit)
    settings = Settings(executor, jobs, device, fresh, room, keep_models, again, storage, devices)
    to = o.out_folder(out)
    try:
        status = submit_plan(plan, catalog, settings, to) if submit else run_plan(plan, catalog, settings, to, json_)
    except KeyboardInterrupt as stop:
        message = "interrupted; nothing finished is lost, and the same command does the rest"
        status = _print_error(message, exit_status(stop))
    raise typer.Exit(status)


@app.command()
def plan(
    suite: o.SuiteName = None,
    backbone: o.Backbones = None,
    task: o.Tasks = None,
    strategy: o.Strategies = None,
    like: o.Like = None,
    baseline: o.Baseline = True,
    trials: o.Trials = None,
    sampler: o.SamplerOption = None,
    pruner: o.PrunerOption = None,
    seeds: o.Seeds = None,
    seed: o.Seed = None,
    max_steps: o.Steps = None,
    epochs: o.Epochs = None,
    train_limit: o.TrainLimit = None,
    train_fraction: o.TrainFraction = None,
    shots: o.Shots = None,
    validation: o.ValidationOption = None,
    folds: o.FoldsOption = None,
    final: o.FinalOption = None,
    max_seconds: o.MaxSeconds = None,
    precision: o.PrecisionOption = None,
    set_: o.Set = None,
    cells: Annotated[bool, typer.Option("--cells", help="List every cell with its id.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the cells as JSON (docs/json.md).")] = False,
    devices: o.Devices = 1,
    max_memory: o.MaxMemory = None,
    data_root: o.DataRoot = None,
    out: o.Out = None,
) -> None:
    """List the cells that a run would run or skip.

    Shows how many of them are finished, and why combinations are skipped.
    """
    from tlbench.catalog.catalog import Catalog
    from tlbench.cli.plan import print_devices, print_inferred, print_plan

    o.set_data_root(data_root)
    search_in(o.out_folder(out))
    catalog = Catalog.discover()
    protocol = patch(
        trials,
        read_seeds(seeds, seed),
        max_steps,
        epochs,
        train_limit,
        train_fraction,
        shots,
        validation,
        max_seconds,
        precision,
        sampler,
        pruner,
        folds,
        final,
    )
    selection = o.selection(backbone, task, strategy, protocol, like, baseline, set_)
    planned = o.planned(catalog, suite, selection, memory_room(max_memory, devices=devices))
    print_inferred(planned, catalog)
    print_devices(planned, catalog, devices)
    print_plan(planned, o.out_folder(out), cells, catalog, json_)


app.command()(find_command.find)
app.command("list")(browsing.list_)
app.command()(browsing.show)
app.command()(check_command.check)


app.command()(fetch_command.fetch)
app.command()(board_command.leaderboard)
app.command()(predict_command.predict)
app.command()(export_command.export)


app.command()(delete_command.delete)
app.command()(browsing.version)
more_commands.add_to(app)


def main() -> None:
    """Runs the command line and exits with one of the statuses in `EXIT_STATUS`."""
    prepare_streams()
    stop_on_signals()
    sys.exit(_main(sys.argv[1:]))


def _main(arguments: list[str]) -> int:
    verbosity.reset()
    try:
        check_platform(arguments)
        # Not standalone: click would print errors in its own form and exit, and tests call this function many times.
        status = int(app(arguments or ["--help"], prog_name="tlbench", standalone_mode=False) or 0)
        # A pipe that was closed in the meantime raises here and not when Python exits.
        sys.stdout.flush()
        return status
    except typer.Exit as end:
        return end.exit_code
    except UsageError as error:
        return _print_error(str(error), 2)
    except (Interrupted, KeyboardInterrupt, typer.Abort) as stop:
        return _print_error("interrupted", exit_status(stop))
    except BrokenPipeError:
        return end_of_pipe()
    except SystemExit as end:
        # click turns a closed pipe into exit status 1, which means a cell without a score.
        if isinstance(end.__context__, BrokenPipeError):
            return end_of_pipe()
        raise
    except (OSError, UnicodeError) as error:
        return _print_error(line_of(error), 2)
    except Exception as error:
        # Errors of click's parser. Newer versions of typer contain their own copy of click, so that there is no one
        # class to catch: they are recognised by their attributes.
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            return _print_error(reworded(error.format_message()), int(error.exit_code))
        raise


def _print_error(message: str, status: int) -> int:
    from tlbench.results.render.escaping import printable

    # One line, without control characters: the message may quote a file name or a plugin's text.
    with suppress(OSError):  # stderr may be a terminal that was closed
        print(f"tlbench: {printable(' '.join(message.split()))}", file=sys.stderr)
    return status
