"""What is asked of `race`, and whether the replay shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.find.replay.measures import is_same_answer, oracle_gap, upper_bound
from benchmarks.find.replay.replayed import SHARE_WITH_FINALS, SHARES
from benchmarks.find.replay.rivals import OURS
from benchmarks.find.replay.standings import ReplayStandings

ROWS = 800
"""Tasks with fewer test rows are too noisy for the targets of regret."""
CLOSE, WORST_CLOSE = 0.3, 1.0


@dataclass(frozen=True)
class Target:
    """A target with what was found."""

    what: str
    target: str
    found: str
    is_met: bool


def targets(standings: ReplayStandings) -> list[Target]:
    """Returns the targets that these tasks can show."""
    return [*_regrets(standings), *_same_answer(standings), *_against_opponents(standings)]


def _regrets(standings: ReplayStandings) -> Iterator[Target]:
    wanted: tuple[tuple[float, float, float | None], ...] = ((0.03, 1.0, 3.0), (0.1, 0.3, 1.5), (0.2, 0.2, None))
    for share, most, worst in wanted:
        mean = standings.mean(OURS, share, rows=ROWS)
        if mean is not None:
            is_met = mean.value <= most and (worst is None or mean.worst <= worst)
            target = f"{most:g}" + ("" if worst is None else f" (worst {worst:g})")
            found = f"{mean.value:.2f} (worst {mean.worst:.2f}, {mean.worst_task})"
            yield Target(f"regret to the grid's pick at {share:.0%} of its cost", target, found, is_met)
    mean = standings.mean(OURS, SHARE_WITH_FINALS, rows=ROWS)
    if mean is not None:
        what = f"with finals charged to both, at {SHARE_WITH_FINALS:.0%}"
        yield Target(what, "0.5", f"{mean.value:.2f}", mean.value <= 0.5)
    kept = [task for task in standings.tasks if task.test_rows >= ROWS]
    if kept:
        gap = float(np.mean([max(0.0, oracle_gap(task, standings.draws)) for task in kept]))
        mean = standings.mean(OURS, 0.1, measure="to_oracle", rows=ROWS)
        assert mean is not None
        found = f"{mean.value:.2f}, the grid's own {gap:.2f}"
        yield Target("regret to the oracle at 10%", "the grid's own + 0.5", found, mean.value <= gap + 0.5)


def _same_answer(standings: ReplayStandings) -> Iterator[Target]:
    differences = np.array([standings.regret(OURS, task, 0.1).to_pick for task in standings.tasks])
    bound = upper_bound(differences)
    found = f"{differences.mean():.2f}, upper bound {bound:.2f}"
    yield Target("mean difference to the grid's answer at 10%", "upper 95% bound over tasks under 1", found, bound < 1)
    large = [task for task in standings.tasks if task.test_rows >= 2000]
    if large:
        place = SHARES.index(0.1)
        same = [is_same_answer(task, standings.answers[OURS][task.name].rows[place]) for task in large]
        found = f"{sum(same)} of {len(same)}"
        what = "tasks of 2,000 test rows whose answer at 10% is within 2 points or not told apart"
        yield Target(what, "all but one", found, sum(same) >= len(same) - 1)


def _against_opponents(standings: ReplayStandings) -> Iterator[Target]:
    for share in (0.03, 0.05, 0.1, 0.2):
        for modality in standings.modalities:
            means = {rival: standings.mean(rival, share, modality) for rival in standings.answers}
            ours = means.pop(OURS)
            others = {rival: mean for rival, mean in means.items() if mean is not None}
            if ours is None or not others:
                continue
            best = min(others, key=lambda rival: others[rival].value)
            least = min(others, key=lambda rival: others[rival].worst)
            is_met = ours.value <= others[best].value + CLOSE and ours.worst <= others[least].worst + WORST_CLOSE
            found = (
                f"{ours.value:.2f}, {best} {others[best].value:.2f}; "
                f"worst {ours.worst:.2f}, {least} {others[least].worst:.2f}"
            )
            yield Target(
                f"{modality}, beside all opponents at {share:.0%}",
                f"mean within {CLOSE:g} of the lowest, worst task within {WORST_CLOSE:g}", found, is_met,
            )  # fmt: skip
