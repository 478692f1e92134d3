"""The curve of the training loss: means over equal parts of the steps."""

import numpy as np
import pytest
import torch

from tlbench.training.steps import CURVE_POINTS, LossCurve


def curve(total, steps):
    found = LossCurve(total, torch.device("cpu"))
    for number in range(1, steps + 1):
        found.add(number, torch.tensor(float(number**2)))
    return found.points(steps)


def test_short_fits_keep_the_loss_of_every_step():
    assert curve(7, 7) == [(n, float(n**2)) for n in range(1, 8)]


@pytest.mark.parametrize(("total", "steps"), [(50, 50), (1000, 1000), (50, 33), (1000, 1)])
def test_every_step_is_in_one_part(total, steps):
    points = curve(total, steps)
    ends = [0, *(step for step, _ in points)]
    assert ends == sorted(set(ends))
    assert ends[-1] == steps
    assert len(points) <= CURVE_POINTS
    for (before, _), (end, mean) in zip([(0, 0.0), *points], points, strict=False):
        assert mean == pytest.approx(np.mean([n**2 for n in range(before + 1, end + 1)]))
    if steps == total:
        # As long as each other, up to a step.
        assert np.ptp(np.diff(ends)) <= 1
