"""`python -m benchmarks.executors`: what fits cost on executors beyond their own work, and how runs of them scale.

Each run is a process of its own. With `--model` the costs of one worker predict runs on 2, 4 and 8 workers, which are
then carried out: fits that sleep let eight workers run on two cores.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import msgspec

from benchmarks.executors.measured_run import Load, Measured
from benchmarks.executors.queue_model import Costs, most_workers, predicted_efficiency, predicted_seconds

TOLERANCE = 0.15
"""The error of its predictions up to which the model is asked about a thousand workers."""
CLUSTER = 1000
LOCAL_RAY = "ray[address=local,workers={workers}]"


def measured(executor: str, workers: int, cells: int, trials: int, milliseconds: float, out: Path | None) -> Measured:
    """Carries out one run in a process of its own, prints it, and appends it to a file."""
    # Ray counts the cores of this machine, and the fits only sleep.
    name = LOCAL_RAY.format(workers=workers) if executor == "ray" else executor
    request = msgspec.json.encode(Load(name, workers, cells, trials, milliseconds)).decode()
    command = [sys.executable, "-m", "benchmarks.executors.measured_run", request]
    answer = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    if out is not None:
        with out.open("ab") as file:
            file.write(answer.strip().splitlines()[-1] + b"\n")
    run = msgspec.json.decode(answer.strip().splitlines()[-1], type=Measured)
    load = run.load
    print(
        f"{executor:10} {load.workers:3} workers {load.cells:6} x {load.trials:5} fits of {load.milliseconds:g} ms:"
        f" {run.seconds:7.1f} s, {run.overhead_ms:6.2f} ms a fit beyond it (driver {run.driver_ms:.2f} ms);"
        f" processor time {run.cpu_ms:.2f} ms (driver {1000 * run.driver_cpu_seconds / run.fits:.2f} ms);"
        f" efficiency {100 * run.efficiency:.1f}%, start {run.start_seconds:.1f} s,"
        f" driver {run.driver_bytes / 1e6:+.0f} MB, all cores busy {100 * run.cpu_share:.0f}%",
        flush=True,
    )
    return run


def modelled(executor: str, fits: int, milliseconds: float, counts: list[int], out: Path | None) -> None:
    """Predicts runs on several workers from one on one worker, carries them out and compares."""
    alone = measured(executor, 1, 1, fits, milliseconds, out)
    costs = Costs(alone.driver_ms, max(0.0, alone.overhead_ms - alone.driver_ms))
    worst = 0.0
    for count in counts:
        fits_here = fits * count
        expected = predicted_seconds(costs, fits_here, count, milliseconds)
        run = measured(executor, count, 1, fits_here, milliseconds, out)
        error = expected / run.seconds - 1
        worst = max(worst, abs(error))
        print(
            f"{'':10} {count:3} workers: predicted {expected:.1f} s, measured {run.seconds:.1f} s ({100 * error:+.0f}%)"
        )
    if worst > TOLERANCE:
        print(f"{executor}: wrong by up to {100 * worst:.0f}%, so the model says nothing about {CLUSTER} workers")
        return
    print(f"{executor}: right within {100 * worst:.0f}%. One driver and {CLUSTER} workers, 100 fits for each:")
    for seconds in (1, 10, 60):
        efficiency = predicted_efficiency(costs, 100 * CLUSTER, CLUSTER, 1000.0 * seconds)
        keeps = most_workers(costs, 1000.0 * seconds)
        print(f"{'':10} fits of {seconds:2} s: efficiency {100 * efficiency:.0f}%; it keeps {keeps} workers busy")


def main() -> None:
    """Reads the options and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executors", default="isolated,ray")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cells", type=int, default=100)
    parser.add_argument("--trials", type=int, default=100, help="fits of each cell; 1: each cell is one fit")
    parser.add_argument("--milliseconds", type=float, default=0.0, help="what each fit sleeps")
    parser.add_argument("--model", action="store_true", help="predict 2, 4 and 8 workers, and compare")
    parser.add_argument("--fits", type=int, default=100, help="with --model: fits for each worker")
    parser.add_argument("--counts", default="2,4,8", help="with --model: numbers of workers")
    parser.add_argument("--out", type=Path, help="a file to which each run is appended as a line of JSON")
    options = parser.parse_args()
    for executor in options.executors.split(","):
        if options.model:
            counts = [int(count) for count in options.counts.split(",")]
            modelled(executor, options.fits, options.milliseconds or 250.0, counts, options.out)
        else:
            measured(
                executor, options.workers, options.cells, options.trials, options.milliseconds, options.out
            )  # fmt: skip


if __name__ == "__main__":
    main()
