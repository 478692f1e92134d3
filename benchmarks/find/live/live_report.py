"""What one side of the live comparison gave, and the page with all of them."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import msgspec

COMMAND = "make bench-find-live"


class LiveRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One search by one side."""

    task: str
    seed: int
    minutes: float
    """The budget, from the start of the process to its end."""
    side: str
    """tlbench or transformers."""
    cores: int
    seconds: float
    """From the start of the process to its end, measured from outside."""
    test: float
    """Accuracy on the test rows."""
    chosen: str
    """Backbone, and strategy where there are several."""
    tried: int
    """Number of fits or trials."""


def live_page(runs: Sequence[LiveRun]) -> str:
    """Returns the comparison as markdown: the means by task and side, then every run."""
    lines = [
        "# `tlbench find` beside transformers' hyperparameter search",
        "",
        f"Made by `{COMMAND}` on {max((run.cores for run in runs), default=0)} cores. Both sides have the same rows"
        " (800 to 1,000 for training, 600 for validation, up to 2,000 for the test), MiniLM with three and with six"
        " blocks, and the same minutes from the start of the process to its last test prediction. transformers' Trainer"
        " searches backbone, learning rate, epochs and batch size with Optuna, prunes by the median, and keeps the best"
        " epoch's weights; tlbench tries its usual strategies, and spends a part of the time on further seeds of its"
        " finalists. tlbench's score is the mean over these seeds.",
        "",
        "| task | minutes | rounds | tlbench | transformers | difference |",
        "|---|---|---|---|---|---|",
    ]
    for task, minutes in dict.fromkeys((run.task, run.minutes) for run in runs):
        ours, theirs = (_scores(runs, task, minutes, side) for side in ("tlbench", "transformers"))
        rounds = min(len(ours), len(theirs))
        if rounds:
            means = [100 * fmean(one) for one in (ours, theirs)]
            gap = f"{means[0] - means[1]:+.1f}"
            lines.append(f"| {task} | {minutes:g} | {rounds} | {means[0]:.1f} | {means[1]:.1f} | {gap} |")
    lines += ["", "| task | seed | side | accuracy | seconds | chosen | fits or trials |"]
    lines.append("|---|---|---|---|---|---|---|")
    lines += [
        f"| {run.task} | {run.seed} | {run.side} | {100 * run.test:.1f} | {run.seconds:.0f} of {60 * run.minutes:.0f} |"
        f" {run.chosen} | {run.tried} |"
        for run in runs
    ]
    return "\n".join(lines) + "\n"


def _scores(runs: Sequence[LiveRun], task: str, minutes: float, side: str) -> list[float]:
    return [run.test for run in runs if (run.task, run.minutes, run.side) == (task, minutes, side)]
