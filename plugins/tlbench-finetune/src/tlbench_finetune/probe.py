"""A linear map on the readout of a frozen encoder, in closed form or by a convex solver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tlbench import (
    About,
    Backbone,
    Classes,
    Diverged,
    FitEnded,
    Float,
    Job,
    Output,
    PluginError,
    Predictions,
    Predictor,
    Scalar,
    Space,
    Strategy,
    Task,
    Value,
)

if TYPE_CHECKING:
    from tlbench.modeling.activations import Activations
    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Encoder
    from tlbench.training import Linear

L2 = Float(1e-5, 10.0, log=True)
"""Beside a mean loss on standardised features: for 1,000 examples, C from 100 to 0.0001 in scikit-learn's terms."""
DEFAULT_L2 = 0.1


@dataclass(frozen=True)
class LinearProbe(Strategy):
    """Logistic or ridge regression on standardised features of the frozen encoder; no weight of it moves.

    The whole grid of `l2` is solved in one pass over features that are computed once.
    """

    name: ClassVar[str] = "linear-probe"
    paper: ClassVar[str] = "Alain & Bengio 2016, arXiv:1610.01644; Kornblith et al. 2019, arXiv:1805.08974"
    batch_size: ClassVar[int] = 64

    def space(self, about: About) -> Space:
        """Returns the penalty on the weights."""
        return {"l2": L2}

    def defaults(self, about: About) -> dict[str, Value]:
        """Returns a penalty that did well on sentences with 300 to 2,000 examples."""
        return {"l2": DEFAULT_L2}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why not: the readout is one vector an example."""
        if isinstance(task.output, Classes | Scalar):
            return None
        return f"a linear probe reads one vector an example; {type(task.output).__name__} needs more"

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor of the one setting in `job.params`."""
        (result,) = self.fit_batch([job])
        if isinstance(result, FitEnded):
            raise result
        return result

    def fit_batch(self, jobs: Sequence[Job]) -> list[Predictor | FitEnded]:
        """Returns a predictor for each setting, all solved at once."""
        first = jobs[0]
        for job in jobs:
            job.train.meter.rows += len(job.train)
        maps = solve(first, [float(job.params["l2"]) for job in jobs])
        return [
            ProbePredictor(first.encoder, linear, first.task.output, first.activations, first.precision)
            if linear.is_finite
            else Diverged("a weight of the probe is not finite")
            for linear in maps
        ]


class ProbePredictor:
    """Answers by a linear map of the frozen encoder's features, which come from the activations."""

    def __init__(
        self, encoder: Encoder, linear: Linear, output: Output, activations: Activations, precision: str
    ) -> None:
        self.encoder = encoder
        self.linear = linear
        self.output = output
        self.activations = activations
        self.precision = precision
        self.trainable_parameters = linear.weight.numel() + linear.bias.numel()

    def predict(self, data: Data) -> Predictions:
        """Returns an answer for each example of the data, in order.

        Raises:
            Diverged: An answer is not finite.
        """
        logits = self.linear(self.activations.features(self.encoder, data, self.precision))
        if not bool(logits.isfinite().all()):
            raise Diverged("an answer is not finite")
        if isinstance(self.output, Scalar):
            return Predictions(data.ids, logits.squeeze(-1).cpu().numpy())
        scores = logits.softmax(-1).cpu().numpy()
        return Predictions(data.ids, scores.argmax(-1), scores)


def solve(job: Job, penalties: Sequence[float]) -> list[Linear]:
    """Returns a linear map of the features to logits, or to real numbers, for each penalty.

    Raises:
        Diverged: A feature is not finite.
        PluginError: The data has several rows an example, or the output is neither classes nor a number.
    """
    import torch

    from tlbench.training import Linear, logistic_regressions, ridge_regressions

    data, output = job.train, job.task.output
    if len(data) != len(data.examples):
        raise PluginError("a linear probe needs one row an example")
    features = job.activations.features(job.encoder, data, job.precision)
    if not bool(features.isfinite().all()):
        raise Diverged("a feature is not finite")
    if isinstance(output, Classes):
        targets = torch.as_tensor(data.targets, dtype=torch.int64, device=features.device)
        return logistic_regressions(features, targets, len(output.names), penalties)
    if not isinstance(output, Scalar):
        raise PluginError(f"no linear probe for {type(output).__name__}")
    numbers = torch.as_tensor(data.targets, dtype=torch.float64, device=features.device)
    mean, deviation = numbers.mean(), numbers.std(unbiased=False).clamp(min=1e-6)
    maps = ridge_regressions(features, (numbers - mean) / deviation, penalties)
    mean, deviation = mean.float(), deviation.float()
    return [Linear(one.weight * deviation, one.bias * deviation + mean) for one in maps]
