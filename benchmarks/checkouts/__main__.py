"""`python -m benchmarks.checkouts COMMIT --suite glue-lite`: runs a suite with both commits and compares them.

Both use this environment, with the same libraries: only tlbench and its first-party plugins are taken from the commit.
Every run has an empty folder of results and an empty cache.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
PAUSE_SECONDS = 0.2
MB = 1e6


@dataclass(frozen=True)
class Done:
    """The measurements of one run."""

    seconds: float
    pss_bytes: tuple[int, ...]
    """Samples of the memory of the driver and its processes, shared memory counted once; empty if not sampled."""
    records: dict[tuple[str, ...], dict[str, Any]]


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """Yields a folder with the files of a commit."""
    with tempfile.TemporaryDirectory(prefix="checkouts-") as folder:
        archive = subprocess.run(["git", "-C", ROOT, "archive", commit], check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        yield Path(folder)


def run(root: Path, arguments: Sequence[str], watched: bool) -> Done:
    """Runs the tlbench of a folder.

    Raises:
        RuntimeError: It ended with something else than success.
    """
    scratch = Path(tempfile.mkdtemp(prefix="checkouts-run-"))
    sources = [str(root / "src"), *map(str, sorted(root.glob("plugins/*/src")))]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sources),
        "TLBENCH_CACHE": str(scratch / "cache"),
        "HF_HUB_OFFLINE": "1",
    }
    # Runs stand in their own folder; what is named relative to this one is still found.
    arguments = [str(Path(one).resolve()) if Path(one).is_file() else one for one in arguments]
    command = [sys.executable, "-P", "-m", "tlbench", "run", "--out", str(scratch / "out"), *arguments]
    try:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, cwd=scratch, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        seen: list[int] = []
        if watched:
            threading.Thread(target=_watch, args=(process.pid, seen), daemon=True).start()
        _, errors = process.communicate()
        seconds = time.perf_counter() - began
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)}: {errors.decode(errors='replace')[-2000:]}")
        return Done(seconds, tuple(seen), read_records(scratch / "out" / "records"))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _watch(pid: int, seen: list[int]) -> None:
    while True:
        try:
            driver = psutil.Process(pid)
            family = [driver, *driver.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        total = 0
        for process in family:
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
        seen.append(total)
        time.sleep(PAUSE_SECONDS)


def read_records(folder: Path) -> dict[tuple[str, ...], dict[str, Any]]:
    """Returns records by their cell, as JSON, since another commit may have another format."""
    found = {}
    for path in folder.glob("*.json"):
        record = json.loads(path.read_bytes())
        cell = record["cell"]
        named = ((cell.get("backbone") or {"name": "-"}), cell["task"], cell["strategy"])
        protocol = cell["protocol"]
        said = [
            str(protocol.get(name)) for name in ("trials", "seeds", "max_steps", "epochs", "train_limit", "precision")
        ]
        found[(*(str(one["name"]) for one in named), " ".join(said), json.dumps(cell.get("space"), sort_keys=True))] = (
            record
        )
    return found


def differences(mine: dict[tuple[str, ...], dict[str, Any]], other: dict[tuple[str, ...], dict[str, Any]]) -> list[str]:
    """Returns a line for each cell whose results differ in any bit."""
    lines = [f"{' | '.join(cell)}: only one has it" for cell in mine.keys() ^ other.keys()]
    for cell in mine.keys() & other.keys():
        one, two = mine[cell], other[cell]
        for what in ("status", "best_params", "validation", "scores", "report", "overlap"):
            if one.get(what) != two.get(what):
                lines.append(
                    f"{' | '.join(cell[:3])}: {what} differs: {_short(one.get(what))} / {_short(two.get(what))}"
                )
                break
    return sorted(lines)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 100 else f"{text[:100]}..."


def added_bytes(records: dict[tuple[str, ...], dict[str, Any]]) -> float:
    """Returns the median of the cells' own memory; for older records, of how much the worker's memory grew."""
    memories = [record.get("memory") or {} for record in records.values()]
    added = [
        one["host_own_bytes"]
        if one.get("host_own_bytes") is not None
        else one["host_peak_bytes"] - one["host_baseline_bytes"]
        for one in memories
        if one.get("host_peak_bytes") and one.get("host_baseline_bytes")
    ]
    return statistics.median(added) if added else 0.0


def main() -> int:
    """Runs the comparison and prints it; returns 1 if results differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checkouts", description=__doc__.splitlines()[0])
    parser.add_argument("commit", help="what this code is compared with; all that follows goes to `tlbench run`")
    parser.add_argument("--rounds", type=int, default=1, help="pairs of runs (1)")
    parser.add_argument("--memory", action="store_true", help="watch memory, which takes some time of its own")
    options, arguments = parser.parse_known_args()
    mine: list[Done] = []
    others: list[Done] = []
    with checkout(options.commit) as other:
        for number in range(options.rounds):
            # In turn, and beginning with the one and the other.
            sides = [(other, others), (ROOT, mine)]
            for root, done in sides if number % 2 == 0 else reversed(sides):
                done.append(run(root, arguments, options.memory))
            pair = mine[-1].seconds, others[-1].seconds
            print(
                f"round {number + 1}: {pair[0]:.1f} s here, {pair[1]:.1f} s there: {pair[0] / pair[1]:.3f}", flush=True
            )
    ratios = [one.seconds / two.seconds for one, two in zip(mine, others, strict=True)]
    print(f"seconds here / there, median of {len(ratios)}: {statistics.median(ratios):.3f}")
    for side, done in (("here", mine), ("there", others)):
        if options.memory:
            pss = [value for one in done for value in one.pss_bytes]
            peaks = [max(one.pss_bytes, default=0) for one in done]
            print(
                f"{side}: PSS of all processes {statistics.median(pss) / MB:.0f} MB in the median, "
                f"{statistics.median(peaks) / MB:.0f} at the peak"
            )
        print(f"{side}: a cell adds {added_bytes(done[0].records) / MB:.0f} MB to its worker in the median")
    if not mine[0].records:
        print("there is nothing to compare: the suite has no cells")
        return 1
    lines = differences(mine[0].records, others[0].records)
    print(f"{len(mine[0].records)} cells, {len(lines)} of them not equal to the bit")
    print("\n".join(lines), end="\n" if lines else "")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
