"""Probes of many settings and seeds: in one pass against one by one, by the same code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmarks.fused.material import Material
from tlbench.training import HeadSetting, Layers, Linear, Regression, solve_logistic, train_heads

ROWS = 768
"""Of each seed's subset, as in glue-lite."""
STEPS = 128
"""As in glue-lite, in batches of 64."""


@dataclass(frozen=True)
class Case:
    """The same work in two implementations; each returns its results, so that they can be compared."""

    name: str
    alone: Callable[[], list[Tensor]]
    together: Callable[[], list[Tensor]]


def cases(material: Material) -> Iterator[Case]:
    """Yields the linear probe and the network for searches (one seed) and for finals (one setting)."""
    subsets = _subsets(material, 5)
    for seeds, settings in ((1, 20), (5, 1), (3, 20)):
        yield _linear(material, subsets[:seeds], [float(x) for x in np.geomspace(1e-5, 10, settings + 2)[1:-1]])
    for hidden, seeds, settings in ((128, 1, 20), (128, 3, 1), (128, 3, 20), (16, 1, 20)):
        yield _network(material, subsets[:seeds], hidden, settings)


def _subsets(material: Material, seeds: int) -> list[tuple[Tensor, Tensor]]:
    drawn = []
    for seed in range(seeds):
        kept = torch.from_numpy(np.random.default_rng(seed).permutation(len(material.targets))[:ROWS])
        kept = kept.to(material.features.device)
        drawn.append((material.features[kept], material.targets[kept]))
    return drawn


def _linear(material: Material, subsets: list[tuple[Tensor, Tensor]], penalties: list[float]) -> Case:
    def solve(problems: list[Regression]) -> list[Tensor]:
        return [_answers(one, material) for maps in solve_logistic(problems, 2) for one in maps]

    problems = [Regression(x, y, penalties) for x, y in subsets]
    singles = [Regression(x, y, [penalty]) for x, y in subsets for penalty in penalties]
    return Case(
        f"linear-probe, {_count(subsets)} x {len(penalties)}",
        lambda: [answers for single in singles for answers in solve([single])],
        lambda: solve(problems),
    )


def _network(material: Material, subsets: list[tuple[Tensor, Tensor]], hidden: int, count: int) -> Case:
    rates = np.geomspace(1e-4, 1e-2, count) if count > 1 else [1e-3]
    settings = [HeadSetting(x, y, seed, float(lr), 1.0, STEPS) for seed, (x, y) in enumerate(subsets) for lr in rates]

    def train(some: list[HeadSetting]) -> list[Tensor]:
        return [_answers(head, material) for head in train_heads(some, 2, [hidden])]

    return Case(
        f"mlp-probe[hidden={hidden}], {_count(subsets)} x {count}",
        lambda: [answers for setting in settings for answers in train([setting])],
        lambda: train(settings),
    )


def _answers(head: Linear | Layers, material: Material) -> Tensor:
    return head(material.features).softmax(-1)[:, 1]


def _count(subsets: list[tuple[Tensor, Tensor]]) -> str:
    return f"{len(subsets)} seed{'s' * (len(subsets) > 1)}"
