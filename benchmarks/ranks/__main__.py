"""`python -m benchmarks.ranks`: error rates, power and coverage of ranks and intervals, into ranks.json and ranks.md.

Each setting is a piece of its own, written when it is finished; the same command does the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.ranks.report import page
from benchmarks.ranks.tables import EXAMPLES, METRICS, SEEDS, SPREADS, STRATEGIES, Setting

FOLDER = Path(__file__).parent
_PLANTED = 2.0
_MANY, _FEW = 10_000, 2_000
"""Draws of a setting where one takes less than 5 ms, and of all others."""
_QUICKEST = 2
"""Number of strategies up to which one draw takes less than 5 ms, without the rival tests."""


def settings() -> list[Setting]:
    """Returns every setting: without a difference, and with one strategy better than the others."""
    axes = product(METRICS, STRATEGIES, EXAMPLES, SEEDS, SPREADS, (0.0, _PLANTED))
    return [Setting(*values) for values in axes]


def draws_of(setting: Setting, share: float) -> int:
    """Returns the number of tables to draw of a setting, for this share of the full number."""
    return max(1, round(share * (_MANY if setting.strategies <= _QUICKEST and not setting.planted else _FEW)))


def measured(setting: Setting, draws: int) -> tuple[str, dict[str, Any]]:
    """Returns the name of a setting and its counts over this number of tables."""
    from benchmarks.ranks.simulate import simulated

    began = time.perf_counter()
    # The rivals' error rates are needed too, since only a test that keeps its rate is a rival in power.
    counts = simulated(setting, draws, with_rivals=True)
    return setting.name, {**counts, "seconds": round(time.perf_counter() - began, 1)}


def main() -> int:
    """Simulates what is not in ranks.json yet and writes the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranks", description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="share of the draws (1)")
    parser.add_argument("--only", default="", help="settings whose name holds this text")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of ranks.json and ranks.md")
    options = parser.parse_args()
    file = options.out / "ranks.json"
    options.out.mkdir(parents=True, exist_ok=True)
    known: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    wanted = {one: draws_of(one, options.share) for one in settings() if options.only in one.name}
    missing = [one for one, draws in wanted.items() if known.get(one.name, {"draws": 0})["draws"] < draws]
    # Longest first, so that no process is left with a long one at the end.
    missing.sort(key=lambda one: -one.strategies * one.seeds * one.examples)
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with ProcessPoolExecutor() as pool:
        for done in as_completed([pool.submit(measured, one, wanted[one]) for one in missing]):
            name, counts = done.result()
            known[name] = counts
            part = file.with_suffix(".part")
            part.write_text(json.dumps(dict(sorted(known.items())), indent=0) + "\n")
            part.replace(file)
            print(f"{name}: {counts['seconds']} s", file=sys.stderr, flush=True)
    (options.out / "ranks.md").write_text(page(known))
    return 0


if __name__ == "__main__":
    sys.exit(main())
