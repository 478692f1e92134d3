"""Grids whose fits are drawn, not made: to test the replay, and to see it where the truth is known."""

from __future__ import annotations

from typing import Literal

import numpy as np

from benchmarks.find.grid_files import Encoding, Grid, GridBackbone, GridCandidate, GridFit, GridTask

Kind = Literal["probe-suffices", "fine-tuning-wins", "nothing-learns", "small-is-best"]
KINDS: tuple[Kind, ...] = ("probe-suffices", "fine-tuning-wins", "nothing-learns", "small-is-best")
RATES = (3e-4, 1e-4, 1e-3)
STRATEGIES = {"linear-probe": 0.0, "knn": 0.0, "head-only": 0.5, "partial": 2.0, "full": 6.0, "lora": 5.0}
"""Seconds of a fit for each unit of a backbone's size."""


def synthetic_grid(name: str, kind: Kind, seed: int, rows: tuple[int, int] = (600, 2000)) -> Grid:
    """Returns a drawn grid.

    Each fit has an ability, each row a difficulty, and an answer is right with the logistic function of the difference,
    so that fits are alike on easy rows, as real ones are.

    Args:
        name: Name of the task.
        kind: What its best fit is.
        seed: Seed of all draws.
        rows: Rows of the validation pool and of the test split.
    """
    rng = np.random.default_rng(seed)
    sizes = np.array([1.0, 2.0, 3.0, 5.0, 8.0])
    quality = rng.normal(0, 0.6, len(sizes)) + {"small-is-best": -0.15}.get(kind, 0.1) * sizes
    backbones = [f"backbone-{int(size)}" for size in sizes]
    candidates = [GridCandidate("majority", "baseline", ({},)), GridCandidate("words", "baseline", ({},))]
    abilities, fits = [[-0.5], [0.2]], []
    for backbone, size, good in zip(backbones, sizes, quality, strict=True):
        for strategy in STRATEGIES:
            role = "probe" if strategy in {"linear-probe", "knn"} else "adaptation"
            settings = ({},) if role == "probe" else tuple({"lr": rate} for rate in RATES)
            candidates.append(GridCandidate(strategy, role, settings, backbone, parameters=int(size * 1e6)))
            abilities.append([_ability(kind, strategy, good, place, rng) for place in range(len(settings))])
    difficulty = [rng.normal(0, 1.5, number) for number in rows]
    answers: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for number, (candidate, values) in enumerate(zip(candidates, abilities, strict=True)):
        for setting, ability in enumerate(values):
            for shift in (-0.8, -0.3, 0.0) if candidate.role == "adaptation" else (0.0, 0.0, 0.0):
                answers[0].append(_right(ability + shift, difficulty[0], rng))
            answers[1].append(_right(ability, difficulty[1], rng))
            fits.append(_fit(number, setting, candidate, backbones, rng))
    task = GridTask(
        name, "image" if seed // len(KINDS) % 2 else "text", 2, 500, *rows,
        tuple(_backbone(place, one, sizes[place], quality[place]) for place, one in enumerate(backbones)),
        tuple(candidates),
        tuple(Encoding(one, float(size)) for one, size in zip(backbones, sizes, strict=True)),
        tuple(fits),
    )  # fmt: skip
    return Grid(task, np.array(answers[0]).reshape(len(fits), 3, rows[0]), np.array(answers[1]))


def _ability(kind: Kind, strategy: str, good: float, place: int, rng: np.random.Generator) -> float:
    gain = {"head-only": 0.1, "partial": 0.3, "full": 0.6, "lora": 0.5}.get(strategy, 0.0)
    scale = {"probe-suffices": -0.5, "fine-tuning-wins": 1.5, "nothing-learns": 0.0, "small-is-best": 0.5}[kind]
    base = 0.0 if kind == "nothing-learns" else 1.0 + good
    return float(base + scale * gain - 0.3 * place + rng.normal(0, 0.15))


def _right(ability: float, difficulty: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(rng.random(len(difficulty)) < 1 / (1 + np.exp(difficulty - ability)))


def _fit(
    number: int, setting: int, candidate: GridCandidate, backbones: list[str], rng: np.random.Generator
) -> GridFit:
    size = candidate.parameters / 1e6
    whole = float(0.05 + STRATEGIES.get(candidate.strategy, 0.0) * size * rng.uniform(0.9, 1.1))
    parts = (whole / 8, whole / 2, whole) if candidate.role == "adaptation" else (whole, whole, whole)
    is_frozen = candidate.strategy in {"linear-probe", "knn", "head-only"}
    read = (backbones.index(candidate.backbone),) if is_frozen else ()
    validated = 0.0 if is_frozen or not candidate.backbone else 0.3 * size
    return GridFit(number, setting, 0, parts, (validated, validated, validated), 0.1, read)


def _backbone(place: int, name: str, size: float, quality: float) -> GridBackbone:
    scores = {one: float(quality) for one in ("knn", "h-score", "logme")}
    return GridBackbone(name, "synthetic", int(size * 1e6), 0.5, scores, dict.fromkeys(scores, 0.1), (place,))
