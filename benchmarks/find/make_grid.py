"""`python -m benchmarks.find.make_grid`: makes the grid of fits that policies of `tlbench find` are replayed on.

It prints what is left and about how many hours that takes, and goes on where it ended when it was last stopped: a kill
at any moment loses at most one fit. It runs on one thread of one core, and charges processor time.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tlbench.running.fitting.libraries import configure_libraries

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Makes the grid; returns 0, 1 if a fit failed, or 2 for a mistake of the user."""
    # Before anything imports torch, which reads the number of threads once.
    configure_libraries(threads=1)
    # Activations stay in memory: what is read from a disk would have no processor time.
    os.environ["TLBENCH_CACHE_LIMIT"] = "0"
    from benchmarks.find.making.grid_data import IMAGES, TEXTS
    from benchmarks.find.making.grid_run import GridRun, GridSettings
    from benchmarks.find.making.progress_lines import ProgressLines
    from tlbench import UsageError

    known = {data.name: data for data in (*IMAGES, *TEXTS)}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.find.make_grid", description=__doc__)
    parser.add_argument("--bill", action="store_true", help="print what is left and about how long it takes, and stop")
    parser.add_argument("--tasks", nargs="+", choices=known, default=list(known), help="default: all, images first")
    parser.add_argument("--raw", type=Path, default=Path("tlbench-find-grid"), help="the folder of single fits")
    parser.add_argument("--out", type=Path, default=HERE / "grid", help="the folder of the grid's files")
    parser.add_argument("--core", type=int, help="the core to run on; default: any")
    arguments = parser.parse_args()
    try:
        if arguments.core is not None:
            os.sched_setaffinity(0, {arguments.core})
        run = GridRun(GridSettings([known[name] for name in arguments.tasks], arguments.raw, arguments.out))
        bill = run.bill()
        _write(str(bill))
        if not arguments.bill:
            run.make(ProgressLines(run.count, bill, _write))
    except (UsageError, OSError) as error:
        print(f"make_grid: {error}", file=sys.stderr)
        return 2
    failures = run.failures()
    for line in failures:
        print(line, file=sys.stderr)
    return 1 if failures else 0


def _write(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
