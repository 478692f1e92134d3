"""What several commands take, and how it becomes a selection of a suite."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Plan, Precision, Pruner, Sampler
from tlbench.contracts.errors import UsageError
from tlbench.modeling.disk import cache_settings
from tlbench.planning.capacity import Room
from tlbench.planning.plan import Selection, plan
from tlbench.planning.suite import Patch, Suite, SuiteBlock, read_suite
from tlbench.system.machine import gpu_memory_bytes, gpus, memory_bytes

OUT_VARIABLE = "TLBENCH_OUT"
DEFAULT_OUT = "tlbench-results"
DATA_VARIABLE = "TLBENCH_DATA"

_ADDS = "One the suite has selects its cells, another replaces the axis, +NAME adds to it. Repeatable."

SuiteName = Annotated[str | None, typer.Option("--suite", "-s", metavar="NAME|FILE", help="A suite, by name or file.")]
Backbones = Annotated[
    list[str] | None, typer.Option("--backbone", "-b", metavar="NAME", help=f"A backbone. {_ADDS}", show_default=False)
]
Tasks = Annotated[
    list[str] | None, typer.Option("--task", "-t", metavar="NAME", help="A task; as --backbone.", show_default=False)
]
Strategies = Annotated[
    list[str] | None,
    typer.Option("--strategy", "-S", metavar="NAME", help="A strategy; as --backbone.", show_default=False),
]
Trials = Annotated[int | None, typer.Option(min=1, metavar="N", help="Settings to try in a cell, in total.")]
SamplerOption = Annotated[Sampler | None, typer.Option("--sampler", help="How settings are drawn.", show_default=False)]
PrunerOption = Annotated[
    Pruner | None, typer.Option("--pruner", help="How trials that fall behind are stopped.", show_default=False)
]
Seeds = Annotated[str | None, typer.Option(metavar="N|LIST", help="How many seeds, or which: 3 or 0,7,8.")]
Steps = Annotated[int | None, typer.Option(min=1, metavar="N", help="Optimiser steps of a fit.")]
Epochs = Annotated[float | None, typer.Option(metavar="N", help="Passes over the training examples of a fit.")]
TrainLimit = Annotated[int | None, typer.Option(min=1, metavar="N", help="Training examples that a fit may see.")]
MaxSeconds = Annotated[float | None, typer.Option(metavar="SECONDS", help="Time after which a cell is stopped.")]
PrecisionOption = Annotated[
    Literal["auto", "fp32", "bf16-autocast", "bf16-weights"] | None, typer.Option(help="Arithmetic of a fit.")
]
CacheLimit = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help=f"Most that activations and tokens may take on disk: 20GiB; 0 for none"
        f" (${cache_settings.LIMIT_VARIABLE}; {cache_settings.DEFAULT_LIMIT}).",
    ),
]
MaxMemory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Skip what needs more memory by estimate, and start no more workers than find room: 24GiB; 0 for no limit."
        " Default: all there is.",
    ),
]
DataRoot = Annotated[
    str | None, typer.Option(metavar="FOLDER", help=f"Where files of data are (${DATA_VARIABLE}).", show_default=False)
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="FOLDER", help=f"Results (${OUT_VARIABLE}; {DEFAULT_OUT}).")
]


def out_folder(out: Path | None) -> Path:
    """Returns the folder of results: as said, as the environment says, or the default."""
    return out or Path(os.environ.get(OUT_VARIABLE) or DEFAULT_OUT)


def patch(
    trials: int | None = None,
    seeds: str | None = None,
    max_steps: int | None = None,
    epochs: float | None = None,
    train_limit: int | None = None,
    max_seconds: float | None = None,
    precision: Precision | None = None,
    sampler: Sampler | None = None,
    pruner: Pruner | None = None,
) -> Patch:
    """Returns what the command line says of the protocol.

    Raises:
        UsageError: A number that cannot be.
    """
    said: dict[str, Any] = {
        "trials": trials,
        "seeds": None if seeds is None else _seeds(seeds),
        "max_steps": max_steps,
        "epochs": _positive("--epochs", epochs),
        "train_limit": train_limit,
        "max_seconds": _positive("--max-seconds", max_seconds),
        "precision": precision,
        "sampler": sampler,
        "pruner": pruner,
    }
    if max_steps is not None and epochs is not None:
        raise UsageError("give --max-steps or --epochs, not both")
    return Patch(**{name: value for name, value in said.items() if value is not None})


def planned(
    catalog: Catalog,
    suite: str | None,
    backbones: Sequence[str] | None,
    tasks: Sequence[str] | None,
    strategies: Sequence[str] | None,
    protocol: Patch,
    room: Room | None = None,
) -> Plan:
    """Returns the plan of a suite as selected, or of what is named where no suite is.

    Raises:
        UsageError: Unknown names, a suite that cannot be read, or too little said.
    """
    if suite is None:
        if not tasks or not strategies:
            raise UsageError("say what to run: --suite NAME, or --task and --strategy (and --backbone)")
        names = tuple(tuple(name.removeprefix("+") for name in axis or ()) for axis in (tasks, strategies, backbones))
        block = SuiteBlock(tasks=names[0], strategies=names[1], backbones=names[2])
        return plan(Suite((block,), name="command line"), catalog, Selection(protocol=protocol), room)
    selection = Selection(tuple(backbones or ()), tuple(tasks or ()), tuple(strategies or ()), protocol)
    return plan(read_suite(catalog.suite(suite)), catalog, selection, room)


def room(size: str | None, device: str = "auto") -> Room | None:
    """Returns how much memory a worker may take: as said, or all of the GPU's or the machine's; None for no limit.

    Raises:
        UsageError: No size.
    """
    gpu = device != "cpu" and gpus() > 0
    if size is not None:
        count: int | None = cache_settings.parse_size(size, "--max-memory")
    else:
        count = gpu_memory_bytes(device) if gpu else memory_bytes()
    return Room(count, host=not gpu) if count else None


def set_data_root(folders: str | None) -> None:
    """Sets where files of data are looked for, for this process and the workers that it starts.

    Raises:
        UsageError: A folder that does not exist.
    """
    if folders is None:
        return
    for folder in folders.split(os.pathsep):
        if not Path(folder).expanduser().is_dir():
            raise UsageError(f"--data-root {folder}: no such folder")
    os.environ[DATA_VARIABLE] = os.pathsep.join(
        str(Path(folder).expanduser().resolve()) for folder in folders.split(os.pathsep)
    )


def limit_cache(size: str | None) -> None:
    """Sets how large the cache on disk may grow, for this process and the workers that it starts.

    Raises:
        UsageError: No size, here or in the environment.
    """
    if size is not None:
        cache_settings.parse_size(size, "--cache-limit")
        os.environ[cache_settings.LIMIT_VARIABLE] = size
    cache_settings.limit_bytes()


def check_device(device: str) -> None:
    """Refuses a device that cannot be.

    Raises:
        UsageError: Not the name of a device, or a GPU that this machine lacks.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]+)?", device):
        raise UsageError(f"--device {device}: auto, cpu, cuda or cuda:N")


def _seeds(text: str) -> int | tuple[int, ...]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"--seeds {text}: a number of seeds, or seeds separated by commas") from None
    if any(number < 0 for number in numbers) or (len(numbers) == 1 and numbers[0] == 0):
        raise UsageError(f"--seeds {text}: seeds are not negative, and there is at least one")
    return numbers[0] if len(numbers) == 1 and "," not in text else tuple(numbers)


def _positive(option: str, value: float | None) -> float | None:
    if value is not None and not (value > 0 and math.isfinite(value)):
        raise UsageError(f"{option} {value:g}: must be above 0 and finite")
    return value
