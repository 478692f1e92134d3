"""Test-time normalisation: batch-norm statistics of the target domain. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tlbench_finetune.rates import has_batch_norm

from tlbench import Backbone, Job, Task
from tlbench.training import GradientStrategy
from tlbench_domain.adaptation import DomainAdaptation

if TYPE_CHECKING:
    from tlbench.training import Model, ModelPredictor, Training


@dataclass(frozen=True)
class TargetNormalization(DomainAdaptation):
    """Trains on the source, then mixes the statistics of its batch normalisations with those of the target.

    The statistics are of the target's unlabelled examples, n of them, and count as n against `prior` of the source, so
    that a prediction depends on no other test example. Validation, which is of the source, sees them too.
    """

    name: ClassVar[str] = "test-time-normalization"
    paper: ClassVar[str] = "Schneider et al. 2020, arXiv:2006.16971"
    prior: int = 16
    """Number of target examples that the source's statistics count as; not searched, since validation is of the source
    and would prefer its own."""

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why a task or a backbone (it has no batch normalisation) is not supported, or None."""
        if self.prior < 0:
            return "prior must be at least 0"
        if self.stages is not None:
            return f"{self.name} trains the whole network: leave stages out"
        if backbone is not None and not has_batch_norm(backbone):
            return f"{self.name} changes batch normalisations, and {backbone.name} has none"
        return super().supports(backbone, task)

    def clash(self, parts: Mapping[str, GradientStrategy]) -> str | None:
        """Returns why it makes no sense beside other parts (they do not train the whole network), or None."""
        wrap = parts.get("wrap", self)
        if wrap.trains != "all":
            return f"{self.name} changes all batch normalisations, and {wrap.name} does not train the whole network"
        return super().clash(parts)

    def averaged(self, model: Model, job: Job, train: Training) -> ModelPredictor:
        """Returns the model trained on the source's labels, with statistics of the target."""
        from tlbench_domain.batch_statistics import mix_statistics

        predictor = train(job)
        mix_statistics(model, self.unlabeled(job), self.prior, job.precision)
        return predictor
