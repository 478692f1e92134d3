"""DANN: features that do not tell the domains apart, learnt against a domain classifier. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tlbench import Float, Job, Space, SpaceContext, Value
from tlbench.training import Objective
from tlbench_domain.adaptation import FeatureAlignment

if TYPE_CHECKING:
    from torch import Tensor

    from tlbench.training import Model, Step
    from tlbench_domain.adaptation import DomainOutputs

UNITS = 100
"""Hidden units of the domain classifier."""
CLASSIFIER_LR = 1e-3
"""The lowest learning rate of the domain classifier, which starts from random weights."""


@dataclass(frozen=True)
class Dann(FeatureAlignment):
    """Domain-adversarial training: a classifier learns to tell the domains apart, its reversed gradient not to.

    The reversed gradient's weight rises from 0 to `weight` on the paper's schedule. The domain classifier has a hidden
    layer, and at least the learning rate of new layers; optimiser and learning rates are otherwise the recipe's.
    """

    name: ClassVar[str] = "dann"
    paper: ClassVar[str] = "Ganin et al. 2016, arXiv:1505.07818"

    def space(self, about: SpaceContext) -> Space:
        """Returns the learning rates and the range of the paper for the reversed gradient's final weight."""
        return {**super().space(about), "weight": Float(0.01, 1.0, log=True)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns the final weight of the paper's schedule, 1; on a frozen backbone the middle of its range."""
        return {**super().defaults(about), "weight": 0.1 if self.stages == 0 else 1.0}

    def objective(self, model: Model, job: Job) -> Objective:
        """Returns the source's loss and that of features that do not hide the domain, with the domain classifier."""
        import torch
        from torch import nn

        from tlbench.training import groups_of
        from tlbench_domain.last_features import last_layer

        width = last_layer(model).in_features
        classifier = nn.Sequential(nn.Linear(width, UNITS), nn.ReLU(), nn.Linear(UNITS, 1)).to(model.device)
        groups = groups_of(classifier, max(float(job.params["lr"]), CLASSIFIER_LR), self.weight_decay)

        def penalty(step: Step, source: DomainOutputs, target: DomainOutputs) -> Tensor:
            weight = float(job.params["weight"]) * schedule(step.number, step.total)
            features = torch.cat([source[1], target[1]])
            logits = classifier(reversed_gradient(features, weight)).float().squeeze(-1)
            domains = (torch.arange(len(features), device=features.device) >= len(source[1])).float()
            return nn.functional.binary_cross_entropy_with_logits(logits, domains)

        return Objective(self.aligned(model, job, penalty), groups=groups)


def schedule(number: int, total: int) -> float:
    """Returns the paper's factor at a step, 2 / (1 + exp(-10 p)) - 1, where p goes from 0 to 1."""
    return 2 / (1 + math.exp(-10 * (number - 1) / max(1, total - 1))) - 1


def reversed_gradient(features: Tensor, weight: float) -> Tensor:
    """Returns the features, whose gradient is multiplied by -weight on its way back."""
    return features.detach() * (1 + weight) - features * weight
