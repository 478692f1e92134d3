"""Means over tasks of the replayed policies: the numbers of the report and of the drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.find.replay.measures import Regret, oracle_gap, regret
from benchmarks.find.replay.replay_task import ReplayTask
from benchmarks.find.replay.replayed import SHARE_WITH_FINALS, SHARES, Replayed
from benchmarks.find.replay.rivals import OURS


@dataclass(frozen=True)
class Mean:
    """The mean over tasks of regrets that are clipped at 0 for each task, and the task with the largest."""

    value: float
    worst: float
    worst_task: str


class ReplayStandings:
    """The regrets of all policies on all tasks.

    Args:
        tasks: The tasks that were replayed.
        answers: What each policy answered on each, by policy and task.
        draws: How many times the validation rows were drawn.
    """

    def __init__(self, tasks: Sequence[ReplayTask], answers: Mapping[str, Mapping[str, Replayed]], draws: int) -> None:
        self.tasks, self.answers, self.draws = tasks, answers, draws
        self._regrets: dict[tuple[str, str, float], Regret] = {}

    @property
    def modalities(self) -> list[str]:
        """The modalities of the tasks."""
        return sorted({task.modality for task in self.tasks})

    def regret(self, rival: str, task: ReplayTask, share: float) -> Regret:
        """Returns the regret of a policy on a task at a budget, or with finals charged for `SHARE_WITH_FINALS`."""
        key = rival, task.name, share
        if key not in self._regrets:
            answer = self.answers[rival][task.name]
            rows = answer.rows_with_finals if share == SHARE_WITH_FINALS else answer.rows[SHARES.index(share)]
            self._regrets[key] = regret(task, rows)
        return self._regrets[key]

    def mean(
        self, rival: str, share: float, modality: str = "", measure: str = "to_pick", rows: int = 0
    ) -> Mean | None:
        """Returns the mean over the tasks that the policy has searched; None if there are none.

        Args:
            rival: The policy.
            share: The budget.
            modality: The modality of the tasks; empty for all.
            measure: `to_pick` or `to_oracle`.
            rows: The fewest test rows of a task.
        """
        values = {
            task.name: max(0.0, getattr(self.regret(rival, task, share), measure))
            for task in self.tasks
            if task.name in self.answers[rival] and modality in {"", task.modality} and task.test_rows >= rows
        }
        if not values:
            return None
        worst = max(values, key=lambda name: values[name])
        return Mean(sum(values.values()) / len(values), values[worst], worst)

    def charged(self, rival: str, modality: str) -> float:
        """Returns the mean share of grid and finals that a search with its finals was charged."""
        shares = []
        for task in self.tasks:
            if task.modality == modality and task.name in self.answers[rival]:
                whole = task.grid_seconds + float(task.final_seconds[task.grid_pick(0)])
                shares.append(float(self.answers[rival][task.name].seconds_with_finals.mean()) / whole)
        return sum(shares) / len(shares)

    def failing_task(self, rival: str, share: float, points: float = 1.0) -> tuple[str, float, float] | None:
        """Returns the task on which a policy lacks most that ours does not, with both regrets; None under `points`."""
        found = []
        for task in self.tasks:
            if task.name in self.answers[rival]:
                theirs, ours = (max(0.0, self.regret(one, task, share).to_pick) for one in (rival, OURS))
                found.append((theirs - ours, task.name, theirs, ours))
        worst = max(found, default=(0.0, "", 0.0, 0.0))
        return worst[1:] if worst[0] > points else None

    def as_json(self) -> dict[str, Any]:
        """Returns all regrets in points, for `replay.json`."""
        return {
            "draws": self.draws,
            "shares": [*SHARES, SHARE_WITH_FINALS],
            "tasks": {
                task.name: {
                    "modality": task.modality,
                    "fits": len(task.rows),
                    "grid_seconds": round(task.grid_seconds, 1),
                    "test_rows": task.test_rows,
                    "grid_to_oracle": round(oracle_gap(task, self.draws), 3),
                }
                for task in self.tasks
            },
            "regret_to_pick": self._table("to_pick"),
            "regret_to_oracle": self._table("to_oracle"),
        }

    def _table(self, measure: str) -> dict[str, dict[str, list[float]]]:
        shares = (*SHARES, SHARE_WITH_FINALS)
        return {
            rival: {
                task.name: [round(getattr(self.regret(rival, task, share), measure), 3) for share in shares]
                for task in self.tasks
                if task.name in answers
            }
            for rival, answers in self.answers.items()
        }
