"""Nearest class mean: the prototype of each class is the mean of its training examples' features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tlbench import Backbone, Classes, Float, Job, Space, SpaceContext, Task, Value
from tlbench_finetune.probes.features import FeatureStrategy

if TYPE_CHECKING:
    from tlbench.training import Linear
    from tlbench_finetune.probes.samples import Sample

ABSENT = -1e9
"""The logit of a class without training examples."""


@dataclass(frozen=True)
class Prototypes(FeatureStrategy):
    """Predicts the class whose mean feature vector is nearest, in Euclidean distance of standardised features.

    The probabilities are those of equally frequent classes with Gaussian features of unit variance. With many features
    they are close to 0 and 1: calibrate them before use.
    """

    name: ClassVar[str] = "prototypes"
    paper: ClassVar[str] = "Snell et al. 2017, arXiv:1703.05175; Tibshirani et al. 2002, doi:10.1073/pnas.082099299"
    batch_size: ClassVar[int] = 16

    def space(self, about: SpaceContext) -> Space:
        """Returns the range of the shrinkage of the class means towards the mean of all examples, feature by feature.

        A class mean that differs by less than this number of its standard errors counts as no difference.
        """
        return {"shrinkage": Float(0.0, 3.0)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns no shrinkage."""
        return {"shrinkage": 0.0}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a task is not supported (its targets are not one class per example), or None."""
        if not isinstance(task.output, Classes):
            return f"prototypes are means of classes; {type(task.output).__name__} has not one class per example"
        if self.class_weight is not None:
            return "the mean of a class does not depend on how frequent it is: leave class_weight out"
        return super().supports(backbone, task)

    def heads(self, jobs: Sequence[Job], samples: Sequence[Sample]) -> list[Linear]:
        """Returns one linear map per job: half the squared distance is linear up to a constant."""
        for job in jobs:
            job.train.meter.rows += len(job.train)
        return [
            _nearest_mean(sample, len(job.task.output.classes), float(job.params["shrinkage"]))
            for job, sample in zip(jobs, samples, strict=True)
        ]


def _nearest_mean(sample: Sample, classes: int, shrinkage: float) -> Linear:
    """Returns the map to minus half the squared distances from the shrunken class means, up to a common constant.

    A class without training examples is never the nearest.
    """
    import torch

    from tlbench.training.probes.axes import Scale

    scale = Scale.of(sample.features)
    x = scale.standardise(sample.features)
    counts = torch.bincount(sample.targets, minlength=classes).double()
    sums = x.new_zeros(classes, x.shape[1]).index_add_(0, sample.targets, x)
    means = sums / counts.clamp(min=1)[:, None]
    within = (x - means[sample.targets]).square().sum(0) / max(1, len(x) - int((counts > 0).sum()))
    # The standard error of the difference between the mean of a class and that of all examples, which is 0.
    errors = (1 / counts.clamp(min=1) - 1 / len(x)).clamp(min=0).sqrt()[:, None] * within.sqrt()
    means = means.sign() * (means.abs() - shrinkage * errors).clamp(min=0)
    bias = -means.square().sum(1) / 2
    return scale.on_raw_features(means, bias.masked_fill(counts == 0, ABSENT))
