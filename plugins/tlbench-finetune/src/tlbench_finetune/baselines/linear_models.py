"""Linear models on features of examples: logistic or ridge regression, its penalty chosen on the validation split."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tlbench import Classes, Examples, Job, MultiLabel, Output, Predictions, Scalar, UsageError
from tlbench.contracts.exports.forms import Program
from tlbench.metrics.resampling import score
from tlbench.metrics.scored_arrays import scored_of
from tlbench_finetune.exported_baselines import baseline_program, no_adapter

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from tlbench.modeling.data import Data

    Matrix: TypeAlias = csr_matrix | NDArray[np.float32]

Floats: TypeAlias = NDArray[np.float32]
ABSENT = -30.0
"""The logit of a class or label that no training example has."""
MAX_ITERATIONS = 200
NOTE = "log10_c"
"""Name of the note with the chosen inverse penalty; its logarithm, because notes of several folds are averaged."""


class Features(Protocol):
    """Features of examples that were fitted on the training split and can be saved."""

    @property
    def width(self) -> int:
        """The number of features."""

    @property
    def requirements(self) -> tuple[str, ...]:
        """The distributions that computing them takes, beside NumPy."""

    def matrix(self, examples: Examples) -> Matrix:
        """Returns the features of each example, (N, width)."""

    def settings(self) -> dict[str, Any]:
        """Returns the values of the fitted features that are saved as JSON, such as n-grams."""

    def arrays(self) -> dict[str, Floats]:
        """Returns the arrays of the fitted features by name, such as means, which are saved next to the weights."""


@dataclass(frozen=True, eq=False)
class LinearModel:
    """A map from features to logits, or to a number."""

    weights: Floats
    """(width, K); K is 1 for a number."""
    bias: Floats
    """(K,)"""

    def predict(self, output: Output, ids: tuple[str, ...], features: Matrix) -> Predictions:
        """Returns the predictions of the examples with these features, with probabilities of classes and labels."""
        from scipy.special import expit, softmax

        logits = np.asarray(features @ self.weights, dtype=np.float64) + self.bias
        if isinstance(output, Scalar):
            return Predictions(ids, logits[:, 0])
        if isinstance(output, MultiLabel):
            return Predictions(ids, (logits > 0).astype(np.int64), expit(logits))
        return Predictions(ids, logits.argmax(axis=1), softmax(logits, axis=1))


@dataclass(frozen=True, eq=False)
class LinearPredictor:
    """Predicts with a linear model on features that are computed from the examples themselves."""

    output: Output
    features: Features
    model: LinearModel

    @property
    def trainable_parameters(self) -> int:
        """The number of weights."""
        return self.model.weights.size + self.model.bias.size

    def predict(self, data: Data) -> Predictions:
        """Returns one prediction per example of the data, in order."""
        return self.model.predict(self.output, data.ids, self.features.matrix(data.examples))

    def exportable(self, *, keep_adapter: bool = False) -> Program:
        """Returns a script that computes the features, and what it reads."""
        no_adapter(keep_adapter)
        arrays = {**self.features.arrays(), "weights": self.model.weights, "bias": self.model.bias}
        return baseline_program("linear", self.features.settings(), arrays, self.features.requirements)

    def save(self, folder: Path) -> None:
        """Writes the weights, and the arrays and settings of the features."""
        import torch

        from tlbench.modeling.predictor_files import write_predictor

        arrays = {**self.features.arrays(), "weights": self.model.weights, "bias": self.model.bias}
        tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
        # The kind of features is saved too, since weights for words do not fit features of colours.
        write_predictor(folder, type(self.features).__name__, self.output, self.features.settings(), tensors)


def outputs_of(output: Output) -> int:
    """Returns the number of columns of a model's weights: one per class or label, or one for a number."""
    return len(output.classes) if isinstance(output, Classes | MultiLabel) else 1


def fit_linear(job: Job, features: Features, matrix: Matrix, grid: Sequence[float]) -> LinearPredictor:
    """Returns the linear model whose penalty scores best on the validation split; ties go to the strongest.

    In a final fit without a validation split the penalty is the one that the search chose.

    Args:
        job: The job.
        features: Features fitted on the job's training examples.
        matrix: The features of the training examples, (N, width).
        grid: Inverse penalties C to try, as in scikit-learn, in increasing order.
    """
    output = job.task.output
    job.train.meter.rows += len(job.train)
    targets = np.asarray([example.target for example in job.train.examples])
    if job.held_out is None:
        # With folds, the mean of the logarithms is the geometric mean of the penalties that the folds chose.
        chosen = 10 ** job.searched[NOTE] if NOTE in job.searched else grid[len(grid) // 2]
        # The solver continues from stronger penalties, so they are part of the result.
        stronger = [c for c in grid if c < chosen and not math.isclose(c, chosen)]
        *_, (_, model) = _fitted(output, matrix, targets, [*stronger, chosen])
        return LinearPredictor(output, features, model)
    held_out = job.held_out.examples
    validation, labels = features.matrix(held_out), [example.target for example in held_out]
    sign = 1.0 if job.metric.greater_is_better else -1.0
    best: tuple[float, float, LinearModel] | None = None
    for c, model in _fitted(output, matrix, targets, grid):
        scored = scored_of(output, labels, model.predict(output, job.held_out.ids, validation), job.task.positive)
        signed = sign * score(job.metric, scored)
        if best is None or signed > best[0]:
            best = signed, c, model
    assert best is not None
    job.notes[NOTE] = math.log10(best[1])
    return LinearPredictor(output, features, best[2])


def _fitted(
    output: Output, features: Matrix, targets: NDArray[Any], grid: Sequence[float]
) -> Iterator[tuple[float, LinearModel]]:
    """Yields a model for each inverse penalty, in the order of the grid."""
    if isinstance(output, Scalar):
        yield from _ridge(features, targets.astype(np.float32), grid)
    elif isinstance(output, MultiLabel):
        # Each label is a separate problem of two classes.
        paths = [list(_logistic(features, column, 2, grid)) for column in targets.T]
        for position, c in enumerate(grid):
            models = [path[position] for path in paths]
            weights = np.stack([model.weights[:, 1] - model.weights[:, 0] for model in models], axis=1)
            yield c, LinearModel(weights, np.stack([model.bias[1] - model.bias[0] for model in models]))
    else:
        yield from zip(grid, _logistic(features, targets, len(output.classes), grid), strict=True)


def _logistic(
    features: Matrix, targets: NDArray[np.int64], classes: int, grid: Sequence[float]
) -> Iterator[LinearModel]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    present = np.unique(targets)
    width = features.shape[1]
    bias = np.full(classes, ABSENT, dtype=np.float32)
    # Each fit continues from the one before it, with the stronger penalty.
    solver = LogisticRegression(warm_start=True, max_iter=MAX_ITERATIONS)
    for c in grid:
        weights, bias = np.zeros((width, classes), dtype=np.float32), bias.copy()
        if len(present) == 1 or not width:
            # scikit-learn refuses one class; without features the frequencies are the solution.
            counts = np.bincount(targets, minlength=classes)[present]
            bias[present] = np.log(counts / counts.sum())
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                solver.set_params(C=c).fit(features, targets)
            # For two classes scikit-learn has one row of weights, for the logit of the second class.
            pair = len(present) == 2
            rows = np.concatenate([0 * solver.coef_, solver.coef_]) if pair else solver.coef_
            weights[:, present] = rows.T
            bias[present] = np.append(0 * solver.intercept_, solver.intercept_) if pair else solver.intercept_
        yield LinearModel(weights, bias)


def _ridge(
    features: Matrix, targets: NDArray[np.float32], grid: Sequence[float]
) -> Iterator[tuple[float, LinearModel]]:
    from sklearn.linear_model import Ridge

    mean, deviation = float(targets.mean(dtype=np.float64)), float(targets.std(dtype=np.float64))
    # Targets in standard deviations, so that one grid suits all units; constant targets stay 0.
    standard = (targets - mean) / (deviation or 1.0)
    for c in grid:
        weights, bias = np.zeros((features.shape[1], 1), dtype=np.float32), mean
        if features.shape[1]:
            solver = Ridge(alpha=1 / c).fit(features, standard)
            weights = (solver.coef_.reshape(-1, 1) * deviation).astype(np.float32)
            bias = float(solver.intercept_) * deviation + mean
        yield c, LinearModel(weights, np.array([bias], dtype=np.float32))


def read_arrays(output: Output, folder: Path, shapes: dict[str, tuple[int, ...]], width: int) -> dict[str, Floats]:
    """Returns the arrays of a saved predictor by name: the model's `weights` and `bias`, and those of its features.

    Args:
        output: The task's output.
        folder: Where the predictor was saved.
        shapes: The shapes of the features' own arrays.
        width: The number of features.

    Raises:
        UsageError: The folder holds other arrays.
    """
    from tlbench.modeling.predictor_files import read_weights

    count = outputs_of(output)
    tensors = read_weights(folder, {**shapes, "weights": (width, count), "bias": (count,)})
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
            raise UsageError(f"{folder}: the saved {name} are not finite real numbers; fit the baseline again")
    # Copied because the tensors are views of the memory-mapped file, which may be deleted or overwritten.
    return {name: tensor.float().numpy().copy() for name, tensor in tensors.items()}
