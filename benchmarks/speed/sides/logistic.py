"""scikit-learn's logistic regression over embeddings that are computed once, for an even grid of penalties."""

from __future__ import annotations

import time

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.speed.sides.classifier import (
    Features,
    Loaded,
    digits,
    fresh,
    labels_of,
    passes,
    prepare,
    rehearse,
)
from benchmarks.speed.sides.job import CellReport, Job, Report, run

MAX_STEPS = 1000
"""Of L-BFGS; the default of 100 does not converge at small penalties."""


def work(job: Job, report: Report) -> None:
    """Embeds every row once, fits each penalty, and answers with the best on validation."""
    began = time.monotonic()
    loaded = prepare(job)
    report.load_seconds = time.monotonic() - began
    report.tokens = loaded.tokens
    rows = (loaded.train, loaded.validation, loaded.test)
    train, validation, test = embed(loaded, rows, job)
    targets, asked = labels_of(loaded.train), labels_of(loaded.validation)
    domain = job.spaces["linear-probe"]["l2"]
    best: tuple[float, float, Pipeline] | None = None
    for l2 in np.geomspace(domain["low"], domain["high"], job.trials):
        probe = fitted(train, targets, float(l2))
        accuracy = float((probe.predict(validation) == asked).mean())
        if best is None or accuracy > best[0]:
            best = (accuracy, float(l2), probe)
    assert best is not None
    predicted = {str(job.seeds[0]): digits(best[2].predict(test))}
    report.ids = loaded.test_ids
    report.cells = [CellReport("linear-probe", best[0], job.trials, 0, predicted, {"l2": best[1]})]


def embed(loaded: Loaded, parts: tuple[list[Features], ...], job: Job) -> list[np.ndarray]:
    """Returns (N, D) of each part: the pretrained encoder's readout."""
    torch.manual_seed(0)
    model = fresh(loaded, job.classes, frozen=10**6).to(job.device)
    return [passes(model, rows, job, features=True) for rows in parts]


def fitted(features: np.ndarray, targets: np.ndarray, l2: float) -> Pipeline:
    """Returns the regression whose penalty is tlbench's `l2` beside a mean loss."""
    penalty = 1 / (l2 * len(targets))
    return make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=MAX_STEPS)).fit(features, targets)


def unfolded(probe: Pipeline) -> tuple[np.ndarray, float]:
    """Returns weights (D,) and bias of a regression on two classes, for features that are not standardised.

    MiniLM has features that never move by more than 1e-32. They take no weight: it would be beyond fp32, and gradients
    through it so long that clipping leaves nothing of them.
    """
    scaler, regression = probe[0], probe[-1]
    moves = scaler.scale_ > 1e-7 * (1 + np.abs(scaler.mean_))
    weight = np.where(moves, regression.coef_[0] / scaler.scale_, 0.0)
    return weight, float(regression.intercept_[0] - weight @ scaler.mean_)


if __name__ == "__main__":
    rehearse()
    run(work)
