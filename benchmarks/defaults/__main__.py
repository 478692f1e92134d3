"""`python -m benchmarks.defaults`: runs the suite, and writes a table of first settings beside the best of eight.

The first trial of a search is the setting that a strategy gets without one. Validation scores are compared, on which
the search chose its best, so that the gap is a little too large.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tlbench.contracts.record import Record
from tlbench.results.records.store import Store

HERE = Path(__file__).resolve().parent
LARGEST_GAP = 0.01
TASKS_NEEDED = 2
_COMMAND = "make bench-defaults"


class Gap(NamedTuple):
    """How far the first setting of a search is from its best, in units of the metric."""

    strategy: str
    task: str
    first: float
    best: float
    trials: int

    @property
    def is_small(self) -> bool:
        """Whether the first setting is within a point of the best one."""
        return self.best - self.first <= LARGEST_GAP + 1e-9


def gaps(records: Sequence[Record]) -> list[Gap]:
    """Returns the gap of each searched cell whose first trial has a score. Metrics are such that greater is better."""
    found = []
    for record in records:
        scores = [fit.validation for fit in record.trials if fit.purpose == "search"]
        known = [score for score in scores if score is not None]
        if len(scores) > 1 and scores[0] is not None:
            cell = record.cell
            found.append(Gap(cell.strategy.name, cell.task.name, scores[0], max(known), len(scores)))
    return sorted(found)


def table(found: Sequence[Gap]) -> str:
    """Returns the table as Markdown: a row for each strategy, and the gap in points on each task."""
    tasks = sorted({gap.task for gap in found})
    lines = [
        "| strategy | " + " | ".join(tasks) + " | within a point |",
        "| --- | " + "---: | " * (len(tasks) + 1),
    ]
    for strategy in sorted({gap.strategy for gap in found}):
        own = {gap.task: gap for gap in found if gap.strategy == strategy}
        cells = [_text(own[task]) if task in own else "-" for task in tasks]
        lines.append(f"| `{strategy}` | {' | '.join(cells)} | {sum(gap.is_small for gap in own.values())}/{len(own)} |")
    return "\n".join(line.rstrip() for line in lines)


def page(found: Sequence[Gap]) -> str:
    """Returns the whole page."""
    by_strategy = [[gap for gap in found if gap.strategy == name] for name in sorted({gap.strategy for gap in found})]
    good = sum(sum(gap.is_small for gap in own) >= min(TASKS_NEEDED, len(own)) for own in by_strategy)
    trials = max(gap.trials for gap in found)
    return f"""# First settings

Made by `{_COMMAND}`: the validation score of each strategy's first setting, and by how many points the best of
{trials} settings is above it. {good} of {len(by_strategy)} strategies are within a point on two tasks.
The search chose its best on this split, which favours it: even of equal settings, the best is above the first.

{table(found)}
"""


def _text(gap: Gap) -> str:
    return f"{100 * gap.first:.1f} +{100 * (gap.best - gap.first):.1f}"


def main() -> int:
    """Runs what is missing, writes the page, and returns the exit status of the run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.defaults", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/defaults"), help="folder of results")
    parser.add_argument("--to", type=Path, default=HERE / "defaults.md", help="the page")
    parser.add_argument("--jobs", default="2")
    parser.add_argument("--page-only", action="store_true", help="run nothing")
    arguments = parser.parse_args()
    status = 0
    if not arguments.page_only:
        program = Path(sys.executable).with_name("tlbench")
        command = [program, "run", "--suite", HERE / "suite.toml", "--out", arguments.out, "--jobs", arguments.jobs]
        status = subprocess.run([str(part) for part in command], check=False).returncode
    found = gaps(list(Store.open(arguments.out).records(lambda file: None)))
    if not found:
        print(f"{arguments.out}: no search with a score yet", file=sys.stderr)
        return status or 1
    arguments.to.write_text(page(found), encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
