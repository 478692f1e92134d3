"""`python -m benchmarks.growth`: measures selected curves, and writes tables and a plot of all measured ones.

A curve that is measured takes the place of the same one in `growth.json`; the others stay as they were.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.growth import folders, report
from benchmarks.growth.measure import Measured, environment, measured, tlbench
from benchmarks.speed import corpora

HERE = Path(__file__).resolve().parent
SIZES = (10, 100, 1_000, 10_000, 100_000)
TRIALS = (1, 2, 4, 8, 16, 32, 64)
EXAMPLES = (250, 500, 1_000, 2_000, 4_000, 8_000)
STRATEGIES = ("linear-probe", "partial-finetune[stages=2]")
_TOYS = {"TLBENCH_PLUGINS": "tlbench.testing.toy_plugin"}
_SPEED = {"TLBENCH_PLUGINS": "benchmarks.speed.plugin"}

Point = dict[str, Any]


def main() -> int:
    """Measures, writes, and returns 0."""
    curves: dict[str, Callable[[argparse.Namespace, Path], Iterator[tuple[str, list[Point]]]]] = {
        "start": _start, "plan": _plan, "leaderboard": _leaderboard, "paired": _paired, "trials": _trials,
        "examples": _examples,
    }  # fmt: skip
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=curves, default=list(curves), help="the curves to measure")
    parser.add_argument("--rounds", type=int, default=3, help="how often each command is timed")
    parser.add_argument("--largest", type=int, default=10**9, help="leave out what is larger")
    parser.add_argument("--out", type=Path, default=HERE, help="where growth.json, growth.md and growth.svg are")
    parser.add_argument("--data", default=os.environ.get("TLBENCH_DATA", ""), help="the folder of GLUE's SST-2")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    kept = arguments.out / "growth.json"
    known: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    for name in arguments.only:
        with tempfile.TemporaryDirectory(prefix="tlbench-growth-") as scratch:
            for curve, points in curves[name](arguments, Path(scratch)):
                known[curve] = {"machine": _machine(), "rounds": arguments.rounds, "points": points}
                # At once: whoever stops the benchmark keeps what is measured.
                kept.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
                report.write(arguments.out, known)
    return 0


def _start(arguments: argparse.Namespace, scratch: Path) -> Iterator[tuple[str, list[Point]]]:
    commands = {"python -c pass": [sys.executable, "-c", "pass"], "tlbench --help": tlbench("--help")}
    rounds = 3 * arguments.rounds
    yield "start", [_point(name, measured(command, rounds, environment())) for name, command in commands.items()]


def _plan(arguments: argparse.Namespace, scratch: Path) -> Iterator[tuple[str, list[Point]]]:
    points = []
    for size in _up_to(arguments.largest, SIZES):
        suite = scratch / f"grown-{size}.toml"
        folders.write_suite(suite, size)
        command = tlbench("plan", "--suite", str(suite), "--out", str(scratch / "nothing"))
        points.append(_point(size, measured(command, arguments.rounds, environment(**_TOYS))))
    yield "plan", points


def _leaderboard(arguments: argparse.Namespace, scratch: Path) -> Iterator[tuple[str, list[Point]]]:
    return _boards(arguments, scratch, SIZES[1:], 0.01, "leaderboard")


def _paired(arguments: argparse.Namespace, scratch: Path) -> Iterator[tuple[str, list[Point]]]:
    return _boards(arguments, scratch, SIZES[1:3], 1.0, "leaderboard, all with predictions")


def _boards(
    arguments: argparse.Namespace, scratch: Path, sizes: tuple[int, ...], predicted: float, title: str
) -> Iterator[tuple[str, list[Point]]]:
    committed, first, again, unindexed = [], [], [], []
    for size in _up_to(arguments.largest, sizes):
        out = scratch / "records"
        passed, worked = folders.make_folder(out, size, predicted)
        peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        committed.append(_point(size, Measured((passed,), (worked,), peak)))
        journal = folders.journal_of(out).read_bytes()
        command, env = tlbench("leaderboard", "--out", str(out)), environment()

        def measure(
            before: Callable[[], None], command: list[str] = command, env: Any = env, size: int = size
        ) -> Point:
            return _point(size, measured(command, arguments.rounds, env, before=before))

        first.append(measure(partial(folders.forget_index, out, journal)))
        again.append(measure(lambda: None))
        unindexed.append(measure(partial(folders.forget_index, out)))
    yield f"{title}, first", first
    yield f"{title}, again", again
    yield f"{title}, of records alone", unindexed
    yield f"commits to a folder of the {title}", committed


def _trials(arguments: argparse.Namespace, scratch: Path) -> Iterator[tuple[str, list[Point]]]:
    sizes = _up_to(arguments.largest, TRIALS)
    for strategy in STRATEGIES:
        yield f"trials, {strategy}", [_run(arguments, scratch, strategy, trials, 1_000, trials) for trials in sizes]


def _examples(arguments: argparse.Namespace, scratch: Path) -> Iterator[tuple[str, list[Point]]]:
    sizes = _up_to(arguments.largest, EXAMPLES)
    for strategy in STRATEGIES:
        points = [_run(arguments, scratch, strategy, 4, train, train) for train in sizes]
        yield f"training examples, {strategy}", points


def _run(
    arguments: argparse.Namespace, scratch: Path, strategy: str, trials: int, train: int, size: int
) -> dict[str, Any]:
    """Returns the cost of one cell from a cold start, without cached activations."""
    out, cache = scratch / "out", scratch / "cache"

    def clean() -> None:
        for folder in (out, cache):
            shutil.rmtree(folder, ignore_errors=True)

    task = f"speed-{_corpus(arguments.data)}[train={train}]"
    command = tlbench(
        "run", "--task", task, "--backbone", "minilm-l6", "--strategy", strategy, "--trials", str(trials),
        "--seeds", "1", "--epochs", "3", "--out", str(out), "--device", "cpu",
    )  # fmt: skip
    extra = {"TLBENCH_CACHE": str(cache), "TLBENCH_DATA": arguments.data, **_SPEED}
    point = _point(size, measured(command, arguments.rounds, environment(**extra), before=clean))
    (record,) = (json.loads(path.read_bytes()) for path in (out / "records").glob("*.json"))
    return {**point, "data": task.partition("[")[0], "status": record["status"], "parts": record["seconds"]}


def _corpus(data: str) -> str:
    try:
        corpora.corpus_folder("sst2", data)
    except FileNotFoundError:
        return corpora.GENERATED
    return "sst2"


def _point(size: int | str, found: Measured) -> Point:
    print(f"{size}: {found.median:.2f} s, {found.peak_bytes / 1e6:.0f} MB", file=sys.stderr, flush=True)
    seconds, cpu = list(found.seconds), list(found.cpu_seconds)
    return {"size": size, "seconds": seconds, "cpu_seconds": cpu, "peak_bytes": found.peak_bytes}


def _up_to(largest: int, sizes: tuple[int, ...]) -> list[int]:
    return [size for size in sizes if size <= largest]


def _machine() -> dict[str, str]:
    model = platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        lines = information.read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    return {"processor": model, "cores": str(cores), "python": platform.python_version(), "date": today}


if __name__ == "__main__":
    sys.exit(main())
