"""python -m tools.nightly: one night of the nightly job, or with --rehearse a rehearsal of three nights on a CPU.

Exit status: 0; 1 for a regression or a cell without a score; 2 for a mistake.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.nightly.one_night import Job, hold
from tools.nightly.rehearsal.rehearse import FULL, QUICK, rehearse

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a night or a rehearsal, and returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.nightly", description=__doc__)
    parser.add_argument("--suite", default=str(ROOT / "benchmarks" / "nightly.toml"), help="suite to run")
    parser.add_argument("--nights", type=Path, default=Path("nights"), help="folder of the results of all nights")
    parser.add_argument("--site", type=Path, default=Path("site"), help="folder of the pages")
    parser.add_argument("--commit", default="", help="commit of the code; default: git's HEAD")
    parser.add_argument("--margin", action="append", default=[], help="as of tlbench compare; repeatable")
    parser.add_argument("--keep", type=int, default=60, help="number of nights to keep (60)")
    parser.add_argument("--accept", action="store_true", help="a regression of this night is intended")
    parser.add_argument(
        "--run", action="append", default=[], metavar="OPTION", help="option of tlbench run, as --run=--device=cuda"
    )
    parser.add_argument("--rehearse", action="store_true", help="three nights on a CPU, in minutes")
    parser.add_argument("--quick", action="store_true", help="with --rehearse: toys in place of a model, in seconds")
    options = parser.parse_args(arguments)
    if options.rehearse:
        folder = Path(tempfile.mkdtemp(prefix="nightly-rehearsal-"))
        return rehearse(folder, QUICK if options.quick else FULL)
    commit = options.commit or _head()
    job = Job(
        options.suite,
        options.nights,
        options.site,
        tuple(options.run),
        tuple(options.margin),
        options.keep,
        options.accept,
    )
    return hold(job, commit)


def _head() -> str:
    shown = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    if shown.returncode:
        sys.exit("python -m tools.nightly: this is no git checkout: name the commit with --commit")
    return shown.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
