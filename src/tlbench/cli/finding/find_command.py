"""The command `tlbench find`: its options and their help texts."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from tlbench.cli import options as o
from tlbench.cli.shell.completion import complete_names
from tlbench.system.stop_signals import exit_status

TaskName = Annotated[
    str,
    typer.Argument(
        metavar="TASK",
        help="A task, or your own data, as 'csv:reviews.csv[text=review,label=stars]' or imagefolder:./photos.",
        autocompletion=complete_names("task"),
    ),
]
Minutes = Annotated[
    float, typer.Option("--minutes", "-m", metavar="N", help="Budget in minutes: searching, final fits and scoring.")
]
TriedBackbones = Annotated[
    list[str] | None,
    o.named(
        "backbone", "Backbone to try, or a pattern such as 'minilm-*'; by default all on this machine. Repeatable."
    ),
]
TriedStrategies = Annotated[
    list[str] | None, o.named("strategy", "Strategy to try; by default one of each usual family. Repeatable.")
]
PolicyName = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="How the next fit is chosen; see `tlbench list policies`.",
        autocompletion=complete_names("policy"),
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        metavar="CONDITION", help="Stop early at a validation score, as in 'accuracy>0.9'.", show_default=False
    ),
]
MostParameters = Annotated[
    str | None,
    typer.Option(metavar="N", help="Try backbones of at most so many parameters, such as 30M.", show_default=False),
]
MostLatency = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Try backbones that predict one input in at most this time, such as 20ms, in 95% of cases; measured before"
        " the first fit.",
        show_default=False,
    ),
]
Licences = Annotated[
    list[str] | None,
    typer.Option("--licence", metavar="NAME", help="Licence or pattern, such as apache-*. Repeatable.",
                 show_default=False),
]  # fmt: skip


def find(
    task: TaskName,
    minutes: Minutes = 10.0,
    backbone: TriedBackbones = None,
    strategy: TriedStrategies = None,
    policy: PolicyName = "race",
    until: Until = None,
    max_parameters: MostParameters = None,
    max_memory: o.MaxMemory = None,
    max_latency: MostLatency = None,
    licence: Licences = None,
    max_steps: o.Steps = None,
    train_limit: o.TrainLimit = None,
    precision: o.PrecisionOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the policy's random choices.")] = 0,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Number of workers; by default one per GPU or core.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    executor: Annotated[
        str,
        typer.Option(help="How workers run; see `tlbench list executors`.", autocompletion=complete_names("executor")),
    ] = "isolated",
    json_: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over, also if this search has ended.")] = False,
    cache_limit: o.CacheLimit = None,
    data_root: o.DataRoot = None,
    out: o.Out = None,
) -> None:
    """Find the best backbone and strategy within a time.

    Every backbone on this machine is tried with one strategy of each usual family, as far as the time goes. The winner
    and its cheaper rivals are then fitted at several seeds and scored on the test split, which nothing else sees. The
    same command goes on with the time that is left after an interruption.
    """
    began = time.monotonic()
    from tlbench.api.requested_plan import check_device, memory_room
    from tlbench.catalog.catalog import Catalog
    from tlbench.cli.arguments.counts import parse_count
    from tlbench.cli.finding.find_run import find_and_print
    from tlbench.finding.find import Asked
    from tlbench.finding.request import FindRequest, parse_milliseconds
    from tlbench.running.run import Settings

    check_device(device)
    o.limit_cache(cache_limit)
    o.set_data_root(data_root)
    catalog = Catalog.discover()
    found = catalog.task(task)
    request = FindRequest(
        found.ref.name,
        minutes,
        tuple(backbone or ()),
        tuple(strategy or ()),
        policy,
        until or "",
        None if max_parameters is None else parse_count(max_parameters, "--max-parameters"),
        max_memory or "",
        tuple(licence or ()),
        max_latency_ms=None if max_latency is None else parse_milliseconds(max_latency, "--max-latency"),
        max_steps=max_steps,
        train_limit=train_limit,
        precision=precision or "auto",
        seed=seed,
    )
    settings = Settings(executor, jobs, device, room=memory_room(max_memory, device), keep_models="best-seed")
    asked = Asked(request, found, catalog, settings, o.out_folder(out), began)
    try:
        status = find_and_print(asked, as_json=json_, afresh=fresh)
    except KeyboardInterrupt as stop:
        print("tlbench: interrupted; the same command goes on with the time that is left", file=sys.stderr)
        status = exit_status(stop)
    raise typer.Exit(status)
