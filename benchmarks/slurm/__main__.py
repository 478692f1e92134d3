"""`python -m benchmarks.slurm`: submits cells that sleep to Slurm, and prints what each fit cost beyond its sleep.

Without `SLURM_CONF` a Slurm of one node is started for it, as root, by `tools/services.sh`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ROOT / "tools/services.sh"
POLL_SECONDS = 0.5


def main() -> int:
    """Measures, prints and returns 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slurm", description=__doc__)
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=4, help="jobs of the array; cells / jobs are in each")
    parser.add_argument("--seconds", type=float, default=0.5, help="how long each fit sleeps")
    arguments = parser.parse_args()
    # So that its Slurm is stopped then too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="tlbench-slurm-") as scratch, _slurm(Path(scratch)):
        found = _measured(arguments, Path(scratch))
    print(json.dumps(found, indent=1))
    return 0


def _measured(arguments: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    os.environ["TLBENCH_PLUGINS"] = "tlbench.testing.toy_plugin,benchmarks.slurm.sleeping_plugin"
    os.environ["TLBENCH_CACHE"] = str(scratch / "cache")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    names = ", ".join(f'"sleeping[number={number},seconds={arguments.seconds}]"' for number in range(arguments.cells))
    suite, out = scratch / "suite.toml", scratch / "out"
    block = f'[[cells]]\ntasks = ["toy-tone"]\nstrategies = [{names}]\n'
    suite.write_text(f'name = "sleeping"\n[protocol]\nseeds = 1\n{block}', encoding="utf-8")
    began = time.time()
    executor = f"slurm[array={arguments.jobs}]"
    _tlbench("run", "--suite", str(suite), "--submit", "--executor", executor, "--out", str(out))
    submitted = time.time()
    while len(records := [*(out / "work").glob("*/record.json")]) < arguments.cells:
        time.sleep(POLL_SECONDS)
    jobs = [_job(share, out, submitted) for share in sorted((out / "work").glob("submitted-*/share-*.json"))]
    collecting = time.time()
    _tlbench("collect", "--out", str(out), "--wait")
    collected = time.time()
    cells, slept = len(records), arguments.seconds
    began_beside = time.time()
    # The same on this machine, at the same load: what is left is what the queue adds.
    beside = scratch / "isolated"
    _tlbench("run", "--suite", str(suite), "--executor", "isolated", "-j", str(arguments.jobs), "--out", str(beside))
    isolated = (time.time() - began_beside) * arguments.jobs / cells - slept
    return {
        "cells": cells,
        "jobs": len(jobs),
        "cells in a job": cells // len(jobs),
        "cores": os.cpu_count(),
        "load at the end": round(os.getloadavg()[0], 1),
        "seconds to submit": round(submitted - began, 2),
        "seconds from submission to the first cell of a job": [round(job["start"], 1) for job in jobs],
        "overhead of a fit within its job, ms": round(1e3 * (sum(job["span"] for job in jobs) / cells - slept)),
        "overhead of a fit with the start of its job, ms": round(
            1e3 * (sum(job["span"] + job["start"] for job in jobs) / cells - slept)
        ),
        "overhead of a fit by `isolated` with as many workers, start included, ms": round(1e3 * isolated),
        "seconds to collect": round(collected - collecting, 2),
        "recorded": len([*(out / "records").glob("*.json")]),
    }


def _job(share: Path, out: Path, submitted: float) -> dict[str, float]:
    """Returns how long a job took to its first cell, and from there to its last record."""
    attempts = json.loads(share.read_bytes())["attempts"]
    folders = [Path(attempt["folder"]) for attempt in attempts]
    first = min(float((folder / "began").read_text().split()[0]) for folder in folders)
    last = max((folder / "record.json").stat().st_mtime for folder in folders)
    return {"start": first - submitted, "span": last - first}


def _tlbench(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "tlbench", *arguments], check=True, stdout=sys.stderr)


@contextmanager
def _slurm(scratch: Path) -> Iterator[None]:
    if "SLURM_CONF" in os.environ:
        yield
        return
    folder = scratch / "slurm"
    try:
        subprocess.run([SERVICES, "start-slurm", folder], check=True, stdout=sys.stderr)
        os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
        yield
    finally:
        subprocess.run([SERVICES, "stop-slurm", folder], check=False)


if __name__ == "__main__":
    sys.exit(main())
