"""Draws tables: predictions of K strategies with S seeds each for the same n test examples, with known true scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtr, ndtri

from tlbench.metrics.scored import Scored

# Of the variance of a prediction's error, the shares of the example itself (all strategies find it hard), of the
# strategy on that example, and of the seed.
_EXAMPLE, _STRATEGY, _SEED = 0.6, 0.15, 0.25
_ACCURACY = 0.8
HIGH_ACCURACY = 0.97
_FACTOR = 20
"""By how much the spread of some strategies is smaller than that of others, in settings with unequal spreads."""
_POSITIVE, _HIT, _FALSE_ALARM = 0.3, 0.8, 0.1
"""Share of positive examples, and the shares of positives and negatives that are predicted positive."""
_PEARSON = 0.8
_GRID = np.polynomial.hermite_e.hermegauss(41)


@dataclass(frozen=True)
class Setting:
    """One cell of the simulation."""

    metric: str
    strategies: int
    examples: int
    seeds: int
    spread: float
    """Standard deviation of a strategy's true score over seeds, in points."""
    planted: float = 0.0
    """By how many points the first strategy is better than the others, which are equal."""
    steady: str = "none"
    """Which strategies have a spread 20 times smaller: "none", the first "half", or "all but one"."""
    base: float = _ACCURACY
    """The accuracy of the equal strategies."""

    @property
    def name(self) -> str:
        """The values of the fields, without `base` and `steady` at their defaults; the planted difference is last."""
        metric = self.metric if self.base == _ACCURACY else f"{self.metric}{100 * self.base:g}"
        steady = "" if self.steady == "none" else f"-steady {self.steady}"
        size = f"K{self.strategies}-n{self.examples}-S{self.seeds}-sd{self.spread:g}"
        return f"{metric}-{size}{steady}-d{self.planted:g}"

    def spreads(self) -> list[float]:
        """Returns the standard deviation over seeds of each strategy's true score, in points."""
        steady = {"none": 0, "half": (self.strategies + 1) // 2, "all but one": self.strategies - 1}[self.steady]
        return [self.spread / _FACTOR] * steady + [self.spread] * (self.strategies - steady)


def draw(setting: Setting, generator: np.random.Generator) -> list[list[Scored]]:
    """Returns, for each strategy, the predictions of each seed."""
    k, s, n = setting.strategies, setting.seeds, setting.examples
    noise = (
        generator.standard_normal((1, 1, n)) * math.sqrt(_EXAMPLE)
        + generator.standard_normal((k, 1, n)) * math.sqrt(_STRATEGY)
        + generator.standard_normal((k, s, n), dtype=np.float32) * math.sqrt(_SEED)
    )
    levels, scales = (np.array(values)[:, None, None] for values in _levels(setting))
    skill = levels + generator.standard_normal((k, s, 1)) * scales
    if setting.metric == "accuracy":
        targets, values = np.ones(n, dtype=np.int64), (noise < skill).astype(np.int64)
    elif setting.metric == "f1":
        targets = (generator.random(n) < _POSITIVE).astype(np.int64)
        # More skill moves both classes' errors away from their thresholds.
        values = np.where(targets == 1, noise < ndtri(_HIT) + skill, noise > -ndtri(_FALSE_ALARM) + skill)
        values = values.astype(np.int64)
    else:
        targets = generator.standard_normal(n)
        correlation = np.clip(skill, -0.999, 0.999)
        values = correlation * targets + np.sqrt(1 - correlation**2) * noise
    return [[Scored(targets, one) for one in strategy] for strategy in values]


def true_score(setting: Setting, strategy: int = 0) -> float:
    """Returns the score that a strategy has on average over seeds, on infinitely many examples."""
    levels, scales = _levels(setting)
    return _mean(setting.metric, levels[strategy], scales[strategy])


@lru_cache(maxsize=8)
def _levels(setting: Setting) -> tuple[list[float], list[float]]:
    """Returns the mean of each strategy's skill and its standard deviation over seeds, which give the setting's scores.

    The mean score differs from the score at the mean skill, so that strategies with different spreads need different
    skills to have equal scores.
    """
    start = _start(setting)
    scales = [_scale(setting.metric, start, spread) for spread in setting.spreads()]
    score = _mean(setting.metric, start, scales[-1])
    planted = [setting.planted / 100] + [0.0] * (setting.strategies - 1)
    levels = [_solved(setting.metric, start, score + more, scale) for more, scale in zip(planted, scales, strict=True)]
    return levels, scales


def _start(setting: Setting) -> float:
    return {"accuracy": float(ndtri(setting.base)), "f1": 0.0, "pearson": _PEARSON}[setting.metric]


@lru_cache(maxsize=256)
def _scale(metric: str, start: float, spread: float) -> float:
    """Returns the standard deviation of skill over seeds that gives this standard deviation of the true score."""
    low, high = 0.0, 2.0 if metric != "pearson" else 0.2
    nodes, weights = _GRID
    for _ in range(60):
        middle = (low + high) / 2
        scores = np.array([_score(metric, start + middle * node) for node in nodes])
        share = weights / weights.sum()
        deviation = math.sqrt(max(0.0, (share * scores**2).sum() - (share * scores).sum() ** 2))
        low, high = (middle, high) if deviation < spread / 100 else (low, middle)
    return high


@lru_cache(maxsize=256)
def _solved(metric: str, start: float, score: float, scale: float) -> float:
    low, high = start - 1, start + 1
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _mean(metric, middle, scale) < score else (low, middle)
    return high


def _mean(metric: str, level: float, scale: float) -> float:
    nodes, weights = _GRID
    scores = np.array([_score(metric, level + scale * node) for node in nodes])
    return float((weights * scores).sum() / weights.sum())


def _score(metric: str, skill: float) -> float:
    """Returns the score of one seed on infinitely many examples."""
    if metric == "accuracy":
        return float(ndtr(skill))
    if metric == "pearson":
        return float(np.clip(skill, -0.999, 0.999))
    hit = _POSITIVE * ndtr(ndtri(_HIT) + skill)
    alarm = (1 - _POSITIVE) * ndtr(ndtri(_FALSE_ALARM) - skill)
    return float(2 * hit / (hit + alarm + _POSITIVE))
