"""The grid's files as tasks to replay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.find.grid_files import Grid, GridCandidate, GridFit
from benchmarks.find.replay.replay_task import Array, FeatureScore, ReplayTask, Setting
from tlbench.contracts.policies.policy import Candidate
from tlbench.contracts.space import Choice, Space, Value

SPLITS = 50
"""Splits of the test rows into a half that names the oracle and a half that scores."""
MORE_SEEDS = (1, 2)


def replay_task(grid: Grid, validation_rows: int = 250) -> ReplayTask:
    """Returns a task of the grid.

    Args:
        grid: Its stored fits.
        validation_rows: How many rows of the validation pool a search is scored on, drawn anew for each replay.
    """
    task = grid.task
    drawn = min(validation_rows, task.validation_rows)
    first = [number for number, fit in enumerate(task.fits) if fit.seed == 0]
    fits = [task.fits[number] for number in first]
    rows: dict[Setting, int] = {}
    for row, fit in enumerate(fits):
        params = task.candidates[fit.candidate].settings[fit.setting]
        rows[fit.candidate, tuple(sorted(params.items()))] = row
    # Weights are loaded once in a search, as an encoding is made once.
    loads = {backbone.name: len(task.encodings) + place for place, backbone in enumerate(task.backbones)}
    halves = [_halves(grid.test[first], np.random.default_rng(split)) for split in range(SPLITS)]
    names = [task.candidates[fit.candidate].backbone for fit in fits]
    return ReplayTask(
        name=task.task, modality=task.modality, test_rows=task.test_rows, validation_rows=drawn,
        candidates=[_candidate(number, one) for number, one in enumerate(task.candidates)],
        rows=rows,
        seconds=np.array([_charged(fit, drawn / task.validation_rows) for fit in fits]),
        encodings=[
            frozenset(fit.encodings) | ({loads[name]} if name in loads else set())
            for fit, name in zip(fits, names, strict=True)
        ],
        encoding_seconds=[*(one.seconds for one in task.encodings), *(one.load_seconds for one in task.backbones)],
        answered=np.array([fit.answered for fit in fits]),
        constant=np.array([fit.constant for fit in fits]),
        validation=_Redrawn(grid.validation[first], drawn),
        naming=np.stack([half[0] for half in halves], 1),
        scoring=np.stack([half[1] for half in halves], 1),
        final_seconds=np.array([_final_seconds(grid, fit) for fit in fits]),
        test=grid.test[first],
        features=_features(grid, loads),
        fallback=_fallback(grid, fits),
    )  # fmt: skip


class _Redrawn:
    """The validation scores of each draw of rows from the pool."""

    def __init__(self, answers: NDArray[np.bool_], rows: int) -> None:
        self._answers, self._rows = answers, rows
        self._scores: dict[int, Array] = {}

    def __call__(self, draw: int) -> Array:
        if draw not in self._scores:
            pool = self._answers.shape[-1]
            drawn = np.random.default_rng(draw).choice(pool, self._rows, replace=False)
            self._scores[draw] = self._answers[:, :, drawn].mean(-1)
        return self._scores[draw]


def _halves(test: NDArray[np.bool_], rng: np.random.Generator) -> tuple[Array, Array]:
    order = rng.permutation(test.shape[1])
    middle = len(order) // 2
    return test[:, order[:middle]].mean(1), test[:, order[middle:]].mean(1)


def _candidate(number: int, candidate: GridCandidate) -> Candidate:
    return Candidate(
        number, candidate.strategy, candidate.backbone, candidate.role, candidate.family, candidate.parameters,
        space=_space(candidate.settings), defaults=candidate.settings[0],
    )  # fmt: skip


def _space(settings: Sequence[dict[str, Value]]) -> Space:
    """Returns the space of the settings that were fitted; they differ in one hyperparameter at most."""
    values = {name: dict.fromkeys(one[name] for one in settings) for name in settings[0]}
    return {name: Choice(tuple(distinct)) for name, distinct in values.items()}


def _charged(fit: GridFit, share: float) -> list[float]:
    pairs = zip(fit.seconds, fit.validate_seconds, strict=True)
    return [seconds + share * validated + fit.setup_seconds for seconds, validated in pairs]


def _final_seconds(grid: Grid, fit: GridFit) -> float:
    """Returns the seconds of two more seeds of a fit, and of answering the test split with all three."""
    task = grid.task
    total = 0.0
    for seed in MORE_SEEDS:
        number = grid.index.get((fit.candidate, fit.setting, seed))
        # Only the best setting of a candidate has more seeds; those of others cost as much as their first.
        again = fit if number is None else task.fits[number]
        total += again.seconds[2] + again.setup_seconds + again.validate_seconds[2]
    test_seconds = fit.validate_seconds[2] / task.validation_rows * task.test_rows
    return total + (1 + len(MORE_SEEDS)) * test_seconds


def _features(grid: Grid, loads: dict[str, int]) -> dict[str, FeatureScore]:
    backbones = grid.task.backbones
    names = set.intersection(*(set(one.feature_scores) for one in backbones)) if backbones else set()
    read = frozenset().union(*(one.encodings for one in backbones), loads.values())
    return {
        name: FeatureScore(
            {one.name: one.feature_scores[name] for one in backbones},
            sum(one.feature_seconds.get(name, 0.0) for one in backbones),
            read,
        )
        for name in sorted(names)
    }


def _fallback(grid: Grid, fits: Sequence[GridFit]) -> int:
    """Returns the row of the baseline that always answers the most frequent class, else of the worst fit."""
    for row, fit in enumerate(fits):
        if grid.task.candidates[fit.candidate].strategy == "majority":
            return row
    return int(grid.test[[grid.index[fit.candidate, fit.setting, 0] for fit in fits]].mean(1).argmin())
