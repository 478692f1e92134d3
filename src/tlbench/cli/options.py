"""Options that several commands share, and the plan, memory limit and environment that they are turned into."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from tlbench.api.requested_plan import requested_plan
from tlbench.catalog.catalog import Catalog
from tlbench.catalog.data_roots import DATA_VARIABLE
from tlbench.cli.shell.completion import complete_suite
from tlbench.cli.shell.name_options import named
from tlbench.contracts.cell import Final, Plan, Pruner, Sampler
from tlbench.contracts.errors import UsageError
from tlbench.contracts.executor import KeepModels
from tlbench.contracts.identity.amount import ValidationAmount
from tlbench.modeling.disk import cache_settings
from tlbench.planning.capacity import Room
from tlbench.planning.selection import Selection
from tlbench.planning.settings import read_settings
from tlbench.planning.suite import Patch
from tlbench.results.reading.default_folder import DEFAULT_OUT, OUT_VARIABLE, expanded, results_folder
from tlbench.results.render.escaping import printable

_SELECTS = "A name in the suite selects its cells, another name replaces the axis, +NAME adds to it. Repeatable."

# All default to None, which keeps what the suite or the environment has.
SuiteName = Annotated[
    str | None,
    typer.Option(
        "--suite",
        "-s",
        metavar="NAME|FILE",
        help="Suite: a name, or the path of a TOML file.",
        autocompletion=complete_suite,
    ),
]
Backbones = Annotated[list[str] | None, named("backbone", f"Backbone. {_SELECTS}")]
Tasks = Annotated[list[str] | None, named("task", "Task; like --backbone.")]
Strategies = Annotated[list[str] | None, named("strategy", "Strategy; like --backbone.")]
Like = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Strategy of the suite whose protocol and backbones new strategies get.",
        show_default=False,
    ),
]
Baseline = Annotated[
    bool,
    typer.Option(
        "--baseline/--no-baseline",
        help="Run trivial baselines too, such as majority: the suite's, or without a suite"
        " those that support the task.",
    ),
]
Trials = Annotated[int | None, typer.Option(min=1, metavar="N", help="Settings of hyperparameters to try per cell.")]
SamplerOption = Annotated[
    Sampler | None, typer.Option("--sampler", help="How hyperparameters are sampled.", show_default=False)
]
PrunerOption = Annotated[
    Pruner | None,
    typer.Option(
        "--pruner",
        help="How unpromising trials are stopped early; -rungs: all short, the best longer.",
        show_default=False,
    ),
]
Seeds = Annotated[str | None, typer.Option(metavar="N|LIST", help="Number of seeds, or a list: 3 or 0,7,8.")]
Seed = Annotated[
    list[int] | None,
    typer.Option(min=0, metavar="SEED", help="A seed, in place of --seeds. Repeatable.", show_default=False),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Set a hyperparameter that would be searched, a parameter of the strategies or a field of the protocol,"
        " such as lr=1e-4. Repeatable.",
        show_default=False,
    ),
]
Steps = Annotated[int | None, typer.Option(min=1, metavar="N", help="Optimiser steps of a fit.")]
Epochs = Annotated[float | None, typer.Option(metavar="N", help="Passes over the training examples of a fit.")]
TrainLimit = Annotated[int | None, typer.Option(min=1, metavar="N", help="Training examples that a fit may see.")]
TrainFraction = Annotated[
    str | None,
    typer.Option(
        metavar="SHARE|LIST",
        help="Share of the training and of the validation examples that a fit may see, or several: 0.1 or 0.01,0.1,1.",
    ),
]
Shots = Annotated[
    str | None,
    typer.Option(
        metavar="K|LIST",
        help="Training and validation examples of each class that a fit may see, or several: 8 or 1,8,64. Each seed"
        " draws other training examples.",
    ),
]
ValidationOption = Annotated[
    ValidationAmount | None,
    typer.Option(
        "--validation",
        help="With --shots or --train-fraction: as little validation data as training data, or the whole split.",
        show_default=False,
    ),
]
FoldsOption = Annotated[
    int | None,
    typer.Option(
        "--folds",
        min=2,
        max=1000,
        metavar="K",
        help="Score each trial by cross-validation on K folds of train and validation.",
    ),
]
FinalOption = Annotated[
    Final | None,
    typer.Option("--final", help="Examples on which the winner of the search is fitted.", show_default=False),
]
MaxSeconds = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="Time limit of a cell, which keeps its best trial so far."),
]
PrecisionOption = Annotated[
    Literal["auto", "fp32", "bf16-autocast", "bf16-weights"] | None, typer.Option(help="Arithmetic of a fit.")
]
FreshOption = Annotated[
    Literal["none", "failed", "stale", "all"],
    typer.Option(
        "--fresh",
        help="Finished cells to run again; stale: their versions, code, data, threads or device differ from this run's."
        " With stale and all, unfinished searches of a strategy that has changed start over.",
    ),
]
Retry = Annotated[
    list[str] | None,
    typer.Option(
        metavar="STATUS",
        help="Run cells that ended without a score again, going on from their finished fits: failed, oom, timeout,"
        " crashed or diverged. Repeatable, and several may be joined by commas.",
    ),
]
Devices = Annotated[
    int,
    typer.Option(
        "--devices",
        min=1,
        metavar="N",
        help="Devices of one machine for each fit, which divide its batches (docs/clusters/devices.md).",
    ),
]
CacheLimit = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Size limit of the cache of activations and tokens on disk for this run: 20GiB; 0 switches it off"
        f" (${cache_settings.LIMIT_VARIABLE}, `tlbench cache limit`, {cache_settings.DEFAULT_LIMIT}).",
    ),
]
MaxMemory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Skip fits that need more memory by estimate, start only the workers that fit in it, and end one that"
        " takes more main memory: 24GiB; 0 for no limit. Default: all memory of the machine, or of its GPU.",
    ),
]
DataRoot = Annotated[
    str | None, typer.Option(metavar="FOLDER", help=f"Folder of data files (${DATA_VARIABLE}).", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON (docs/json.md).")]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FOLDER", help=f"Folder of results (${OUT_VARIABLE}; {DEFAULT_OUT})."),
]
KeepModelsOption = Annotated[
    KeepModels,
    typer.Option(
        "--keep-models",
        help="Models of final fits to keep in the folder of results, for predict and export: that of the seed with the"
        " best validation score, or all. Those that are not kept are fitted again when they are needed.",
    ),
]

SubmitOption = Annotated[
    bool,
    typer.Option(
        "--submit",
        help="Put the missing cells into the executor's queue and return; `tlbench collect` gathers their records.",
    ),
]
RunJson = Annotated[
    bool,
    typer.Option("--json", help="Print what was run and the results as JSON (docs/json.md), all else to stderr."),
]
StorageOption = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="URL",
        help="PostgreSQL database over which several drivers share the trials of each cell:"
        " postgresql://HOST/DATABASE, with the password in ~/.pgpass (docs/clusters/postgresql.md).",
        show_default=False,
    ),
]


def out_folder(out: Path | None) -> Path:
    """Returns the folder of results: from `--out`, the environment or the default, in this order."""
    return results_folder(out)


def check_json(as_json: bool, submits: bool) -> None:
    """Refuses `--json` with `--submit`.

    Raises:
        UsageError: Both are given.
    """
    if as_json and submits:
        raise UsageError("--json does not go with --submit: no cell has run by then; see `tlbench collect --json`")


def storage_url(url: str | None, submits: bool) -> str:
    """Returns the URL of `--storage`, or an empty text without one.

    Raises:
        UsageError: It is no URL of a PostgreSQL database, or jobs would have to know it.
    """
    if url is None:
        return ""
    if submits:
        raise UsageError("--storage does not go with --submit: a job runs whole cells, and shares no trials")
    if not url.startswith(("postgresql://", "postgres://")):
        raise UsageError("--storage: not a URL like postgresql://HOST/DATABASE")
    return url


def selection(
    backbones: list[str] | None,
    tasks: list[str] | None,
    strategies: list[str] | None,
    protocol: Patch,
    like: str | None = None,
    baselines: bool = True,
    settings: list[str] | None = None,
) -> Selection:
    """Returns the selection of names that the command line makes, with the values and fields of the protocol it sets.

    Raises:
        UsageError: A setting is not NAME=VALUE.
    """
    return Selection(
        tuple(backbones or ()),
        tuple(tasks or ()),
        tuple(strategies or ()),
        protocol,
        like,
        baselines,
        read_settings(settings or ()),
    )


def planned(
    catalog: Catalog, suite: str | None, selection: Selection, room: Room | None = None, fetch: bool = False
) -> Plan:
    """Returns the plan that the options ask for; what each setting of the selection sets is printed to stderr.

    Raises:
        UsageError: As `requested_plan`.
    """
    return requested_plan(catalog, suite, selection, room, fetch, lambda note: print(printable(note), file=sys.stderr))


def set_data_root(folders: str | None) -> None:
    """Sets the folders of data files (separated as in PATH) for this process and its workers; None changes nothing.

    Raises:
        UsageError: A folder that does not exist.
    """
    if folders is None:
        return
    for folder in folders.split(os.pathsep):
        if not expanded(Path(folder)).is_dir():
            raise UsageError(f"--data-root {folder}: no such folder")
    # In the environment, which workers inherit; absolute, since they may have another working directory.
    os.environ[DATA_VARIABLE] = os.pathsep.join(
        str(expanded(Path(folder)).resolve()) for folder in folders.split(os.pathsep)
    )


def limit_cache(size: str | None) -> None:
    """Sets the size limit of the cache on disk for this process and its workers; None keeps the environment's.

    Raises:
        UsageError: `size`, or the limit in the environment, is not a size such as 20GiB.
    """
    if size is not None:
        cache_settings.parse_size(size, "--cache-limit")
        os.environ[cache_settings.LIMIT_VARIABLE] = size
    # Read once, so that a mistake in the environment is reported here and not by every worker.
    cache_settings.limit_bytes()
