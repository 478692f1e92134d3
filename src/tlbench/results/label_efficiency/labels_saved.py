"""How many training examples a reference without pretrained weights needs for the score of another strategy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tlbench.results.label_efficiency.curves import LearningCurve, SizedScore, TaskCurves


class Needed(NamedTuple):
    """A number of training examples read off a curve, or the end of its measured range."""

    examples: float
    beyond: int = 0
    """0 for a number within the measured range; 1 for more than `examples`, the largest that was measured; -1 for
    `examples`, the smallest that was measured, or fewer."""


@dataclass(frozen=True)
class EqualScore:
    """The number of examples with which the reference reaches the score of a strategy with `examples`."""

    examples: int
    needed: Needed
    low: Needed
    """Lower end of the 95% range over the noise of both scores."""
    high: Needed

    @property
    def is_told_apart(self) -> bool:
        """Whether the reference needs significantly more or fewer examples than the strategy."""
        return _is_beyond(self.examples, self.low, -1) or _is_beyond(self.examples, self.high, 1)


@dataclass(frozen=True)
class LabelsSaved:
    """The labels that one curve saves compared with its reference."""

    curve: LearningCurve
    reference: LearningCurve
    scores: tuple[EqualScore, ...]
    """One for each point of the curve; empty if a point of either curve has no interval over seeds."""


def labels_saved(task: TaskCurves) -> list[LabelsSaved]:
    """Returns the labels saved by each curve with pretrained weights, in order; one without a reference is left out.

    The reference is the curve without pretrained weights that is best at its largest number of examples: of those
    without a backbone, such as `tfidf`, and with the same one, such as `from-scratch`, that improve with examples.
    The best of several is one that chance favoured, so savings are rather too small than too large.
    """
    found = []
    for curve in task.curves:
        if curve.is_pretrained and (reference := _reference(curve, task)):
            known = all(one.low is not None for one in (*curve.points, *reference.points))
            scores = tuple(equal_score(point, reference.points, task.sign) for point in curve.points) if known else ()
            found.append(LabelsSaved(curve, reference, scores))
    return found


def equal_score(point: SizedScore, reference: Sequence[SizedScore], sign: int) -> EqualScore:
    """Returns with how many examples a reference reaches a score, and the 95% range of that number.

    The range has all numbers at which the two scores differ by no more than their joint noise. Their intervals count
    as independent, although both are of the same test examples and nested draws, so it is rather too wide.

    Args:
        point: The score to reach, with an interval.
        reference: Two or more scores with intervals, the fewest examples first.
        sign: 1 if larger scores are better, else -1.
    """
    sizes = [one.examples for one in reference]
    up, down = _noise(point, sign)
    ahead = [sign * (one.value - point.value) for one in reference]
    noise = [_noise(one, sign) for one in reference]
    return EqualScore(
        point.examples,
        first_reached(sizes, ahead),
        first_reached(sizes, [one + math.hypot(above, down) for one, (above, _) in zip(ahead, noise, strict=True)]),
        first_reached(sizes, [one - math.hypot(below, up) for one, (_, below) in zip(ahead, noise, strict=True)]),
    )


def first_reached(sizes: Sequence[int], ahead: Sequence[float]) -> Needed:
    """Returns the smallest number of examples at which `ahead` is 0 or more; linear in the logarithm of the number.

    Args:
        sizes: Two or more numbers of examples, in ascending order.
        ahead: By how much the score at each of them exceeds the one to reach.
    """
    if ahead[0] >= 0:
        return Needed(sizes[0], -1)
    for i in range(1, len(sizes)):
        if ahead[i] >= 0:
            share = -ahead[i - 1] / (ahead[i] - ahead[i - 1])
            return Needed(sizes[i - 1] * (sizes[i] / sizes[i - 1]) ** share)
    return Needed(sizes[-1], 1)


def _reference(curve: LearningCurve, task: TaskCurves) -> LearningCurve | None:
    known = [
        one
        for one in task.curves
        if not one.is_pretrained
        and one.backbone in ("", curve.backbone)
        # A constant answer, such as `majority`, has no number of examples with which it is as good as another.
        and task.sign * (one.points[-1].value - one.points[0].value) > 0
    ]
    return max(known, key=lambda one: task.sign * one.points[-1].value, default=None)


def _noise(point: SizedScore, sign: int) -> tuple[float, float]:
    """Returns the distances from a score to the better and to the worse end of its interval."""
    assert point.low is not None
    assert point.high is not None
    above, below = max(0.0, point.high - point.value), max(0.0, point.value - point.low)
    return (above, below) if sign > 0 else (below, above)


def _is_beyond(examples: int, end: Needed, side: int) -> bool:
    """Returns whether a number lies outside an end of a range: below its lower end (side -1) or above its upper (1)."""
    if end.beyond == side:
        # The end itself lies outside what was measured, and it is unknown how far.
        return False
    return side * (examples - end.examples) > 0 or (examples == end.examples and end.beyond == -side)
