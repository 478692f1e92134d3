"""What heads on the features of a frozen encoder are trained on, and a predictor that answers with one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from tlbench import Classes, Diverged, FitEnded, Job, Output, PluginError, Predictions, Scalar

if TYPE_CHECKING:
    from torch import Tensor

    from tlbench.modeling.activations import Activations
    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Encoder
    from tlbench.training import Layers, Linear

    FeatureHead: TypeAlias = Linear | Layers


@dataclass(frozen=True, eq=False)
class Sample:
    """The features and targets of a training subset."""

    features: Tensor
    """(N, D) in fp32."""
    targets: Tensor
    """(N,) class indices in int64, or numbers in fp64 brought to mean 0 and deviation 1."""
    mean: float = 0.0
    """Of the numbers as the task has them."""
    deviation: float = 1.0

    def in_units(self, linear: Linear) -> Linear:
        """Returns the map that answers in the task's own numbers."""
        if not self.targets.is_floating_point():
            return linear
        return replace(linear, weight=linear.weight * self.deviation, bias=linear.bias * self.deviation + self.mean)


class FeaturePredictor:
    """Answers by a head on the frozen encoder's features, which come from the activations."""

    def __init__(
        self, encoder: Encoder, head: FeatureHead, output: Output, activations: Activations, precision: str
    ) -> None:
        self.encoder = encoder
        self.head = head
        self.output = output
        self.activations = activations
        self.precision = precision
        self.trainable_parameters = head.parameters

    def predict(self, data: Data) -> Predictions:
        """Returns an answer for each example of the data, in order.

        Raises:
            Diverged: An answer is not finite.
        """
        logits = self.head(self.activations.features(self.encoder, data, self.precision))
        if not bool(logits.isfinite().all()):
            raise Diverged("an answer is not finite")
        if isinstance(self.output, Scalar):
            return Predictions(data.ids, logits.squeeze(-1).cpu().numpy())
        scores = logits.softmax(-1).cpu().numpy()
        return Predictions(data.ids, scores.argmax(-1), scores)


def samples(jobs: Sequence[Job]) -> list[Sample | FitEnded]:
    """Returns each job's sample, or why it has none; jobs that see the same data share one.

    Raises:
        PluginError: The data has several rows an example, or the output is neither classes nor a number.
    """
    found: dict[tuple[int, str], Sample | FitEnded] = {}
    for job in jobs:
        key = id(job.encoder), job.train.fingerprint
        if key not in found:
            try:
                found[key] = sample_of(job)
            except FitEnded as ended:
                found[key] = ended
    return [found[id(job.encoder), job.train.fingerprint] for job in jobs]


def sample_of(job: Job) -> Sample:
    """Returns the features and targets of the job's training subset.

    Raises:
        Diverged: A feature is not finite.
        PluginError: The data has several rows an example, or the output is neither classes nor a number.
    """
    import torch

    data, output = job.train, job.task.output
    if len(data) != len(data.examples):
        raise PluginError("a probe needs one row an example")
    if not isinstance(output, Classes | Scalar):
        raise PluginError(f"no probe for {type(output).__name__}")
    features = job.activations.features(job.encoder, data, job.precision)
    if not bool(features.isfinite().all()):
        raise Diverged("a feature is not finite")
    if isinstance(output, Classes):
        return Sample(features, torch.as_tensor(data.targets, dtype=torch.int64, device=features.device))
    numbers = torch.as_tensor(data.targets, dtype=torch.float64, device=features.device)
    mean, deviation = numbers.mean(), numbers.std(unbiased=False).clamp(min=1e-6)
    return Sample(features, (numbers - mean) / deviation, float(mean), float(deviation))


def predictor(job: Job, head: FeatureHead) -> FeaturePredictor | Diverged:
    """Returns what answers with the head, or why it cannot."""
    if not head.is_finite:
        return Diverged("a weight of the probe is not finite")
    return FeaturePredictor(job.encoder, head, job.task.output, job.activations, job.precision)


def why_no_probe(output: Output, name: str) -> str | None:
    """Returns why there is no probe for an output: the readout is one vector an example."""
    if isinstance(output, Classes | Scalar):
        return None
    return f"{name} reads one vector an example; {type(output).__name__} needs more"
