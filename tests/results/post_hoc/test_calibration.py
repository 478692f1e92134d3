"""Calibration measures equal hand-computed and scikit-learn's values; the temperature equals torch's optimum."""

import numpy as np
import pytest
from scipy.special import softmax

from tlbench.metrics.scored import Scored
from tlbench.results.post_hoc import calibration as c


def drawn(n=400, k=4, sharpness=3.0, seed=0):
    """Returns targets and overconfident probabilities: targets follow the logits, probabilities `sharpness` x these."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, k)) * 1.5
    targets = np.array([rng.choice(k, p=row) for row in softmax(logits, axis=1)])
    return targets, softmax(sharpness * logits, axis=1)


def test_the_calibration_error_of_a_case_by_hand():
    # Confidences .95, .95 (one right) and .55 (right): |.95 - .5| * 2/3 + |.55 - 1| * 1/3.
    scores = np.array([[0.95, 0.05], [0.95, 0.05], [0.45, 0.55]])
    assert c.calibration_error(np.array([0, 1, 1]), scores) == pytest.approx(0.45 * 2 / 3 + 0.45 / 3)


@pytest.mark.parametrize("k", [2, 5])
def test_log_loss_and_brier_score_equal_scikit_learn(k):
    from sklearn.metrics import brier_score_loss, log_loss

    targets, scores = drawn(k=k)
    assert c.log_loss(targets, scores) == pytest.approx(log_loss(targets, scores))
    wanted = brier_score_loss(targets, scores if k > 2 else scores[:, 1], scale_by_half=False)
    assert c.brier_score(targets, scores) == pytest.approx(wanted)


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 4.0])
def test_the_temperature_is_that_of_torch(sharpness):
    import torch

    targets, scores = drawn(sharpness=sharpness)
    log_temperature = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([log_temperature], max_iter=200, line_search_fn="strong_wolfe")
    logits, wanted = torch.from_numpy(np.log(scores)), torch.from_numpy(targets)

    def step():
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(logits / log_temperature.exp(), wanted)
        loss.backward()
        return loss

    optimiser.step(step)
    found = c.fitted_temperature(targets, scores)
    assert found == pytest.approx(float(log_temperature.exp().detach()), rel=1e-3)
    assert found == pytest.approx(sharpness, rel=0.25), "the targets were drawn at temperature 1"


def test_scaling_keeps_the_predictions_and_mends_the_loss_it_was_fitted_on():
    targets, scores = drawn()
    temperature = c.fitted_temperature(targets, scores)
    scaled = c.at_temperature(scores, temperature)
    assert (scaled.argmax(axis=1) == scores.argmax(axis=1)).all()
    assert scaled.sum(axis=1) == pytest.approx(np.ones(len(scaled)))
    assert c.log_loss(targets, scaled) < c.log_loss(targets, scores)
    assert c.at_temperature(scores, 1.0) == pytest.approx(scores)


def test_probabilities_of_zero_and_fits_without_errors_have_a_temperature():
    targets = np.array([0, 1, 1])
    certain = np.eye(2)[targets]
    assert c.BOUNDS[0] <= c.fitted_temperature(targets, certain) <= 1
    assert np.isfinite(c.fitted_temperature(1 - targets, certain))
    assert np.isfinite(c.at_temperature(certain, 2.0)).all()


def test_labels_are_choices_between_two_classes():
    scored = Scored(np.array([[1, 0], [0, 1]]), np.array([[1, 0], [1, 0]]), np.array([[0.9, 0.2], [0.6, 0.3]]))
    targets, scores = c.as_classes(scored)
    assert targets.tolist() == [1, 0, 0, 1]
    assert scores[:, 1].tolist() == [0.9, 0.2, 0.6, 0.3]
    assert scores.sum(axis=1) == pytest.approx(np.ones(4))


def test_a_flat_loss_leaves_probabilities_as_they_are():
    targets = np.array([0, 1, 2, 1])
    assert c.fitted_temperature(targets, np.full((4, 3), 1 / 3)) == 1
    assert c.fitted_temperature(targets, np.eye(3)[targets]) == 1
