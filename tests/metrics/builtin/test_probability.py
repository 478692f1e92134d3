"""ROC AUC, log loss and calibration error on examples with known scores."""

import numpy as np
import pytest

from tlbench.metrics.resampling import score
from tlbench.metrics.scored import Scored


def test_the_area_is_of_the_positive_class():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.65, 0.35], [0.2, 0.8]])
    targets, values = [0, 0, 1, 1], probabilities.argmax(1)
    # Of the four pairs of a positive and a negative example, one is in the wrong order.
    assert score("roc_auc", Scored(targets, values, probabilities)) == 0.75
    assert score("roc_auc", Scored(targets, values, probabilities, positive=0)) == 0.75
    assert score("roc_auc", Scored(targets, values, np.full((4, 2), 0.5))) == 0.5
    assert score("roc_auc", Scored([1, 1, 1, 1], values, probabilities)) == 0.5


def test_the_area_of_several_classes_is_the_mean_of_each_against_the_rest():
    probabilities = np.eye(3)[[0, 1, 2, 2]] * 0.8 + 0.2 / 3
    assert score("roc_auc", Scored([0, 1, 2, 2], probabilities.argmax(1), probabilities)) == 1
    # A class without examples has no curve and is left out of the mean.
    assert score("roc_auc", Scored([0, 1, 1, 0], probabilities.argmax(1), probabilities)) == pytest.approx(
        (0.75 + 2 / 4 + 0.25) / 2
    )


def test_log_loss_is_of_the_right_class():
    probabilities = np.array([[0.5, 0.5], [0.25, 0.75]])
    assert score("log_loss", Scored([0, 0], [0, 1], probabilities)) == pytest.approx(np.log([2, 4]).mean())


def test_the_calibration_error_is_the_gap_in_each_bin():
    confidence = np.array([0.95, 0.97, 0.55, 0.65])
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    # Bins are 1/15 wide: 0.55 and 0.65 are in different bins, 0.95 and 0.97 in the last.
    gaps = 2 * abs(0.5 - 0.96) + abs(1 - 0.55) + abs(0 - 0.65)
    assert score("calibration_error", Scored([0, 1, 0, 1], [0] * 4, probabilities)) == pytest.approx(gaps / 4)
    assert score("calibration_error", Scored([1, 0], [1, 0])) == 0
