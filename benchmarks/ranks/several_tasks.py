"""`python -m benchmarks.ranks.several_tasks` writes error rates and coverage of means over tasks to tasks.json and .md.

It simulates equal strategies on several tasks with different metrics. The results of each setting are written when it
is finished; after an interruption the same command simulates the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ranks.tables import Setting, draw, true_score
from tlbench.metrics import METRICS
from tlbench.metrics.jackknife import jackknife_values
from tlbench.metrics.scored import Scored
from tlbench.results.averages.mean_ranks import mean_ranks
from tlbench.results.averages.scales import TaskCell, TaskScale
from tlbench.results.significance.components import components_of
from tlbench.results.significance.differences import score_variances
from tlbench.results.significance.score_variance import ScoreVariance

FOLDER = Path(__file__).parent
DRAWS = 2000
"""Number of tables of each setting."""
_METRICS = ("accuracy", "f1", "pearson", "f1", "accuracy")
_FLOORS = {"accuracy": 0.5, "f1": 2 * 0.3 / (1 + 0.3), "pearson": 0.0}
"""True scores of the floors; the floor of F1 always answers "positive", and 30% of examples are positive."""


@dataclass(frozen=True)
class SeveralTasks:
    """One cell of the simulation: K equal strategies on several tasks with different metrics."""

    tasks: int
    strategies: int
    examples: int
    seeds: int
    spread: float
    """Standard deviation of a strategy's true score over seeds, in points."""

    @property
    def name(self) -> str:
        """The values of all fields, as a file name."""
        return f"tasks{self.tasks}-K{self.strategies}-n{self.examples}-S{self.seeds}-sd{self.spread:g}"


def settings() -> list[SeveralTasks]:
    """Returns every setting."""
    return [SeveralTasks(*values) for values in product((3, 5), (2, 5, 8), (500,), (3, 5), (1, 4))]


def simulated(setting: SeveralTasks, draws: int) -> dict[str, Any]:
    """Returns counts over `draws` tables of a setting.

    `any`: tables in which not all strategies share rank 1, which is an error. `covered`: tables in which the interval
    of the first strategy's mean holds its true value, and `width`, the mean width of the intervals.
    """
    generator = np.random.default_rng(zlib.crc32(setting.name.encode()))
    metrics = _METRICS[: setting.tasks]
    one = [Setting(name, setting.strategies, setting.examples, setting.seeds, setting.spread) for name in metrics]
    truth = float(np.mean([(true_score(task) - _FLOORS[task.metric]) / (1 - _FLOORS[task.metric]) for task in one]))
    differ, covered, width = 0, 0, 0.0
    for _ in range(draws):
        rows: dict[tuple[str, str, str], list[TaskCell]] = {}
        scales = {}
        for number, task in enumerate(one):
            name = str(number)
            variances, scales[name] = _scored(task, draw(task, generator))
            for strategy, variance in enumerate(variances):
                rows.setdefault(("", str(strategy), ""), []).append(_cell(name, task.metric, variance))
        ranks = mean_ranks(rows, scales).of
        differ += int(any(rank.rank != 1 for rank in ranks.values()))
        first = ranks["", "0", ""]
        low, high = first.low or 0.0, first.high or 0.0
        covered += int(low <= truth <= high)
        width += high - low
    return {"draws": draws, "any": differ, "covered": covered, "width": width / draws}


def _scored(task: Setting, predicted: list[list[Scored]]) -> tuple[list[ScoreVariance], TaskScale]:
    """Returns the variances of the strategies' scores, and the scale that the floor gives."""
    metric = METRICS[task.metric]
    components = [components_of(np.stack([jackknife_values(metric, seed) for seed in one])) for one in predicted]
    if task.metric != "f1":
        return score_variances(components), TaskScale(task.metric, _FLOORS[task.metric], 1.0)
    targets = predicted[0][0].targets
    floor = components_of(np.stack([jackknife_values(metric, Scored(targets, np.ones_like(targets)))] * 2))
    *variances, of_floor = score_variances([*components, floor])
    return variances, TaskScale(task.metric, floor.score, 1.0, ("majority",), of_floor)


def _cell(task: str, metric: str, variance: ScoreVariance) -> TaskCell:
    return TaskCell(
        task=task, backbone="", strategy="", variant="", status="ok", rank=None, metric=metric, metric_label=metric,
        greater_is_better=True, in_points=True, metric_worst=0.0, metric_best=1.0, value=variance.score,
        seeds=variance.seeds, encode_seconds=0, fit_seconds=0, total_seconds=0, variance=variance,
    )  # fmt: skip


def page(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the results by name of the setting as Markdown."""
    from scipy.stats import binomtest

    rows = [["setting", "draws", "not all first, %", "99.9% interval", "covered, %", "mean width, points"]]
    for name, one in sorted(results.items()):
        rate = binomtest(one["any"], one["draws"]).proportion_ci(0.999, "exact")
        share, covered = 100 * one["any"] / one["draws"], 100 * one["covered"] / one["draws"]
        rows.append([
            name, f"{one['draws']:,}", f"{share:.1f}", f"{100 * rate.low:.1f}\u2013{100 * rate.high:.1f}",
            f"{covered:.1f}", f"{100 * one['width']:.1f}",
        ])  # fmt: skip
    table = "\n".join("| " + " | ".join(row) + " |" for row in [rows[0], ["---"] + ["---:"] * 5, *rows[1:]])
    about = (
        "Equal strategies (K) on 3 or 5 tasks (accuracy, F1, Pearson, ...) with n test examples and S seeds, whose "
        "true score varies between seeds by sd points. Not all should rank first in 5% of tables, and the interval of "
        "a mean over tasks should hold the true value in 95%."
    )
    parts = ["# Means over tasks, simulated", "    python -m benchmarks.ranks.several_tasks", about, table]
    return "\n\n".join(parts) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulates what is not in tasks.json yet and writes the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranks.several_tasks", description=__doc__)
    parser.add_argument("--draws", type=int, default=DRAWS, help=f"tables of each setting ({DRAWS:,})")
    parser.add_argument("--only", default="", help="settings whose name holds this text")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of tasks.json and tasks.md")
    options = parser.parse_args(arguments)
    file = options.out / "tasks.json"
    known: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    missing = [
        one
        for one in settings()
        if options.only in one.name and known.get(one.name, {"draws": 0})["draws"] < options.draws
    ]
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with ProcessPoolExecutor() as pool:
        futures = {pool.submit(simulated, one, options.draws): one.name for one in missing}
        for done in as_completed(futures):
            known[futures[done]] = done.result()
            part = file.with_suffix(".part")
            part.write_text(json.dumps(dict(sorted(known.items())), indent=0) + "\n")
            part.replace(file)
            print(f"{futures[done]} done", file=sys.stderr, flush=True)
    (options.out / "tasks.md").write_text(page(known), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
