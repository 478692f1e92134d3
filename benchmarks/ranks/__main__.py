"""`python -m benchmarks.ranks` writes error rates, power and coverage of ranks and intervals to ranks.json and .md.

The results of each piece are written when it is finished; after an interruption the same command simulates the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from benchmarks.ranks.pieces import Piece, all_pieces
from benchmarks.ranks.report import page

FOLDER = Path(__file__).parent


def measured(piece: Piece) -> tuple[dict[str, Any], float]:
    """Returns the counts of a piece, by the name of each setting, and the seconds that they took."""
    from benchmarks.ranks.simulate import simulated

    began = time.perf_counter()
    return simulated(piece), time.perf_counter() - began


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulates what is not in ranks.json yet and writes the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranks", description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="share of the draws (1)")
    parser.add_argument("--only", default="", help="pieces whose largest setting's name holds this text")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of ranks.json and ranks.md")
    options = parser.parse_args(arguments)
    file = options.out / "ranks.json"
    options.out.mkdir(parents=True, exist_ok=True)
    known: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    wanted = [one.shortened(options.share) for one in all_pieces() if options.only in one.largest.name]
    missing = [
        one for one in wanted if any(known.get(each.name, {"draws": 0})["draws"] < one.draws for each in one.settings())
    ]
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with ProcessPoolExecutor() as pool:
        futures = {pool.submit(measured, one): one for one in missing}
        for number, done in enumerate(as_completed(futures), 1):
            counts, seconds = done.result()
            known |= counts
            part = file.with_suffix(".part")
            part.write_text(json.dumps(dict(sorted(known.items())), indent=0) + "\n")
            part.replace(file)
            name = futures[done].largest.name
            print(f"{number} of {len(missing)}: {name}, {seconds:.0f} s", file=sys.stderr, flush=True)
    (options.out / "ranks.md").write_text(page(known))
    return 0


if __name__ == "__main__":
    sys.exit(main())
