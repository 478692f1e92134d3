"""LP-FT: full fine-tuning that starts from a linear probe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tlbench import (
    Backbone,
    Classes,
    Job,
    MultiLabel,
    PluginError,
    Scalar,
    Space,
    SpaceContext,
    Task,
    Value,
)
from tlbench_finetune.finetuning.base_classes import Finetuning
from tlbench_finetune.probes.linear_probe import DEFAULT_L2, L2, solve
from tlbench_finetune.rates import rates

if TYPE_CHECKING:
    from tlbench.training import ClassWeight


@dataclass(frozen=True)
class LpFt(Finetuning):
    """Linear probing, then full fine-tuning that starts from the probe's head, to distort pretrained features less."""

    name: ClassVar[str] = "lp-ft"
    paper: ClassVar[str] = "Kumar et al. 2022, arXiv:2202.10054"

    def space(self, about: SpaceContext) -> Space:
        """Returns the ranges of the fine-tuning learning rate and of the probe's L2 penalty."""
        return {"lr": rates(about).whole, "l2": L2}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns the default learning rate and the default penalty of the probe."""
        return {"lr": rates(about).default, "l2": DEFAULT_L2}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a task is not supported (its head is not one linear layer on the readout), or None."""
        # Token and span heads are linear too, but have a vector per token; a probe of the readout does not fit them.
        if isinstance(task.output, Classes | MultiLabel | Scalar):
            return super().supports(backbone, task)
        return f"lp-ft starts from a linear probe of the readout; {type(task.output).__name__} has another head"

    def begin(self, job: Job) -> Job:
        """Returns the job whose head is a linear probe."""
        start_from_probe(job, self.class_weight)
        return job


def start_from_probe(job: Job, class_weight: ClassWeight | None = None) -> None:
    """Copies the weights of a linear probe, with its feature standardisation folded in, into the job's head."""
    import torch

    from tlbench.modeling.heads import PooledHead

    head = job.head
    if not isinstance(head, PooledHead):
        raise PluginError(
            f"the start from a probe needs a PooledHead (one linear layer on the readout), not {type(head).__name__}"
        )
    # Solved to convergence instead of trained, so that fine-tuning starts from the optimum at any learning rate.
    (probe,) = solve(job, [float(job.params["l2"])], class_weight)
    weight, bias = probe.weight, probe.bias
    with torch.no_grad():
        if isinstance(job.task.output, Scalar):
            # The head learns standardised targets and rescales its output itself; the probe's map is in task units.
            head.prepare(job.train)
            weight, bias = weight / head.scale, (bias - head.mean) / head.scale
        head.linear.weight.copy_(weight)
        head.linear.bias.copy_(bias)
