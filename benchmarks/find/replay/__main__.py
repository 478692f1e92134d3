"""`python -m benchmarks.find.replay` replays policies on stored fits and writes a report, its numbers and curves.

python -m benchmarks.find.replay                       # the committed grid
python -m benchmarks.find.replay --fits shift          # SHiFT's records, in $TLBENCH_DATA/shift
python -m benchmarks.find.replay --fits synthetic
python -m benchmarks.find.replay --policies race,my-policy --draws 3 --out /tmp
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.find.grid_files import read_grids
from benchmarks.find.replay.grid_replay import replay_task
from benchmarks.find.replay.replay_report import drawing, page
from benchmarks.find.replay.replay_task import ReplayTask
from benchmarks.find.replay.replayed import replayed
from benchmarks.find.replay.rivals import OURS, rivals
from benchmarks.find.replay.shift_records import shift_tasks
from benchmarks.find.replay.standings import ReplayStandings
from benchmarks.find.replay.synthetic_grid import KINDS, synthetic_grid
from tlbench import TlbenchError, UsageError
from tlbench.catalog.catalog import Catalog

FOLDER = Path(__file__).parent.parent
GRID = FOLDER / "grid"
NOTES = {
    "grid": (
        "Real fits, made once by `python -m benchmarks.find.make_grid`. Seconds are processor seconds of one thread."
    ),
    "shift": (
        "Published fine-tunings of 210 to 288 public models on each of 19 image tasks (800 training rows, 25 epochs, "
        "learning rate 0.01; Renggli et al. 2022, arXiv:2204.01457). There are no probes, sizes, rungs, features or "
        "answers by row: policies that need them are not replayed, the oracle is named on the rows that score, and "
        "`race` has nothing to choose backbones by, so that it is a random order. Seconds are of a GPU."
    ),
    "synthetic": "Drawn fits, to test the replay: **no result on them says anything about real tasks.**",
}


def tasks_of(fits: str, grid: Path, validation_rows: int) -> list[ReplayTask]:
    """Returns the tasks of one source of fits: grid, shift or synthetic.

    Raises:
        UsageError: The data folder is not known.
        DataError: The fits are absent or damaged.
    """
    if fits == "shift":
        root = os.environ.get("TLBENCH_DATA")
        if not root:
            raise UsageError("SHiFT's records: set TLBENCH_DATA to the folder that has shift/ftrecords.csv")
        return shift_tasks(Path(root) / "shift" / "ftrecords.csv")
    if fits == "synthetic":
        grids = [synthetic_grid(f"{kind}-{seed}", kind, seed) for seed, kind in enumerate(2 * KINDS)]
    else:
        grids = list(read_grids(grid).values())
    return [replay_task(one, validation_rows) for one in grids]


def main(arguments: Sequence[str] | None = None) -> int:
    """Replays, and writes `<fits>.md`, `.json` and `.svg`."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.find.replay", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--fits", choices=sorted(NOTES), default="grid", help="where the fits come from (grid)")
    parser.add_argument("--grid", type=Path, default=GRID, help="folder of the grid's files")
    parser.add_argument("--policies", default="", help=f"names, with commas between; {OURS} is always among them (all)")
    parser.add_argument("--draws", type=int, default=10, help="draws of the validation rows, and seeds (10)")
    parser.add_argument("--validation-rows", type=int, default=250, help="rows of each draw (250)")
    parser.add_argument("--out", type=Path, default=FOLDER / "results", help="folder of the report")
    options = parser.parse_args(arguments)
    try:
        tasks = tasks_of(options.fits, options.grid, options.validation_rows)
        chosen = rivals(Catalog.discover())
        if options.policies:
            wanted = {OURS, *options.policies.split(",")}
            if unknown := wanted - {one.name for one in chosen}:
                names = ", ".join(one.name for one in chosen)
                raise UsageError(f"--policies {', '.join(sorted(unknown))}: there are {names}")
            chosen = [one for one in chosen if one.name in wanted]
    except TlbenchError as error:
        print(error, file=sys.stderr)
        return 2
    answers = {}
    for rival in chosen:
        began = time.perf_counter()
        found = {task.name: replayed(rival, task, tasks, options.draws) for task in tasks if rival.can_search(task)}
        if found:
            answers[rival.name] = found
            print(f"{rival.name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    standings = ReplayStandings(tasks, answers, options.draws)
    options.out.mkdir(parents=True, exist_ok=True)
    report = page(standings, f"Replay of policies: {options.fits}", NOTES[options.fits])
    (options.out / f"{options.fits}.md").write_text(report)
    (options.out / f"{options.fits}.svg").write_text(drawing(standings))
    (options.out / f"{options.fits}.json").write_text(json.dumps(standings.as_json(), indent=1) + "\n")
    print(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
