"""Which settings the validation answers cannot tell from the winner."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tlbench.contracts.metric import Metric
from tlbench.results.stats import CellPredictions, paired_difference

ALPHA = 0.05


@dataclass(frozen=True)
class Contender:
    """The best fit of a candidate."""

    number: int
    """Number of the fit."""
    candidate: int
    score: float
    """The validation score, signed so that greater is better."""
    seconds: float
    parameters: int | None
    """Number of parameters of the backbone; 0 without one, None if it is unknown."""
    answers: CellPredictions | None
    """The predictions of the validation split."""


@dataclass(frozen=True)
class TieSet:
    """The winner and the contenders that a paired test does not tell from it."""

    winner: Contender
    tied: tuple[Contender, ...]
    """Without the winner, the best score first."""

    @property
    def all(self) -> tuple[Contender, ...]:
        """The winner and those that tie with it."""
        return self.winner, *self.tied

    @property
    def cheapest(self) -> Contender:
        """The one whose fit took the least time."""
        return min(self.all, key=lambda one: one.seconds)

    @property
    def smallest(self) -> Contender:
        """The one with the fewest parameters; of equally small ones, the cheapest."""
        return min(self.all, key=lambda one: (size_of(one), one.seconds))


def size_of(one: Contender) -> float:
    """Returns the number of parameters to sort by; infinite if it is unknown."""
    return math.inf if one.parameters is None else float(one.parameters)


def tie_set(contenders: Sequence[Contender], winner: Contender, metric: Metric) -> TieSet:
    """Returns the winner with all contenders whose paired difference from it has a p-value above `ALPHA`.

    The test is a bootstrap over the validation examples, so it is about these fits: seeds are not part of it. A
    contender without predictions counts as told apart, unless its score equals the winner's.
    """
    tied = [one for one in contenders if one is not winner and _ties(one, winner, metric)]
    return TieSet(winner, tuple(sorted(tied, key=lambda one: -one.score)))


def _ties(one: Contender, winner: Contender, metric: Metric) -> bool:
    if one.score == winner.score:
        return True
    if one.answers is None or winner.answers is None or not one.answers.same_examples(winner.answers):
        return False
    try:
        return paired_difference(metric, winner.answers, one.answers).p > ALPHA
    # A metric of a plugin may raise on a resample.
    except (Exception, SystemExit):
        return False
