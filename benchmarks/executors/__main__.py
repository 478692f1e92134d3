"""`python -m benchmarks.executors`: what fits cost on executors beyond their own work, and how runs of them scale.

With `--model` the costs of one worker predict runs on 2, 4 and 8 workers, which are
then carried out: fits that sleep let eight workers run on two cores.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.executors.measured_run import Load, Measured
from benchmarks.executors.queue_model import Costs, most_workers, predicted_efficiency, predicted_seconds
from tlbench.system.machine import cores

TOLERANCE = 0.15
"""The error of its predictions up to which the model is asked about a thousand workers."""
CLUSTER = 1000
LOCAL_RAY = "ray[address=local,workers={workers}]"


def measured(executor: str, load: Load, out: Path | None) -> list[Measured]:
    """Carries out runs in a process of their own, prints them, and appends them to a file."""
    # Ray counts the cores of this machine, and the fits only sleep.
    name = LOCAL_RAY.format(workers=max(load.phases)) if executor == "ray" else executor
    request = msgspec.json.encode(msgspec.structs.replace(load, executor=name)).decode()
    command = [sys.executable, "-m", "benchmarks.executors.measured_run", request]
    answer = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.strip().splitlines()[-1]
    if out is not None:
        with out.open("ab") as file:
            file.write(answer + b"\n")
    runs = msgspec.json.decode(answer, type=list[Measured])
    for run in runs:
        print(
            f"{executor:8} {run.workers:3} workers, {run.fits:6} fits of {load.milliseconds:g} ms,"
            f" {load.cells} cells:"
            f" {run.seconds:.1f} s, {run.overhead_ms:.2f} ms a fit beyond it (median of an order {run.order_ms:.2f} ms,"
            f" driver {run.driver_ms:.2f} ms); processor time {run.cpu_ms:.2f} ms (driver"
            f" {1000 * run.driver_cpu_seconds / run.fits:.2f} ms); efficiency {100 * run.efficiency:.1f}%, start"
            f" {run.start_seconds:.1f} s, driver {run.driver_bytes / 1e6:+.0f} MB,"
            f" cores busy {100 * run.cpu_share:.0f}%",
            flush=True,
        )
    return runs


def modelled(executor: str, fits: int, milliseconds: float, counts: list[int], out: Path | None) -> None:
    """Predicts runs on several workers from runs on one before and after each, and compares."""
    # What else the machine does changes meanwhile, so one worker is measured again and again.
    phases = (1, *(number for count in counts for number in (count, 1)))
    runs = measured(executor, Load(executor, phases, 1, fits, milliseconds, grows=True), out)
    worst = 0.0
    for place in range(1, len(runs), 2):
        run, alone = runs[place], (runs[place - 1], runs[place + 1])
        costs = _costs(alone)
        expected = predicted_seconds(costs, run.fits, run.workers, milliseconds)
        error = expected / run.seconds - 1
        worst = max(worst, abs(error))
        print(
            f"{executor} {run.workers} workers: predicted {expected:.1f} s, measured {run.seconds:.1f} s,"
            f" {100 * error:+.0f}% (driver {costs.driver_ms:.1f} ms, worker {costs.worker_ms:.1f} ms of which"
            f" {costs.worker_cpu_ms:.1f} ms on a core, {costs.cores:.1f} cores free)"
        )
    if worst > TOLERANCE:
        print(f"{executor}: wrong by up to {100 * worst:.0f}%, so the model says nothing about {CLUSTER} workers")
        return
    # On a cluster, each worker has a core of its own.
    costs = dataclasses.replace(_costs([run for run in runs if run.workers == 1]), cores=float("inf"))
    print(f"{executor}: right within {100 * worst:.0f}%. One driver and {CLUSTER} workers, 100 fits for each:")
    for seconds in (1, 10, 60):
        efficiency = predicted_efficiency(costs, 100 * CLUSTER, CLUSTER, 1000.0 * seconds)
        keeps = most_workers(costs, 1000.0 * seconds)
        print(f"{'':8} fits of {seconds:2} s: efficiency {100 * efficiency:.0f}%; it keeps {keeps} workers busy")


def _costs(alone: Sequence[Measured]) -> Costs:
    """Returns the costs of a fit on this machine, from runs on one worker."""
    driver = statistics.mean(run.driver_ms for run in alone)
    worker = max(0.0, statistics.mean(run.overhead_ms for run in alone) - driver)
    cpu = statistics.mean(1000 * run.worker_cpu_seconds / run.fits for run in alone)
    return Costs(driver, worker, min(cpu, worker), statistics.mean(map(_free_cores, alone)))


def _free_cores(run: Measured) -> float:
    """Returns how many cores other programs left to a run, in which it had little to do."""
    own = (run.driver_cpu_seconds + run.worker_cpu_seconds) / run.seconds
    return max(own, cores() * (1.0 - run.cpu_share) + own)


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
            load = Load(executor, (options.workers,), options.cells, options.trials, options.milliseconds)
            measured(executor, load, options.out)


if __name__ == "__main__":
    main()
