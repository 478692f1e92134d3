"""The random probe: a linear probe of the same architecture with random weights, to show what pre-training adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tlbench import Backbone, FitEnded, Job, Predictor, Resources, Task
from tlbench_finetune.probes.layers import job_on
from tlbench_finetune.probes.linear_probe import LinearProbe

if TYPE_CHECKING:
    from tlbench.modeling.encoder import Encoder


@dataclass(frozen=True)
class RandomProbe(LinearProbe):
    """A linear probe of the frozen network with random instead of pretrained weights, drawn anew for each seed.

    Data, features, penalties and solver are those of `linear-probe`, so that the two differ in the weights alone.
    """

    name: ClassVar[str] = "random-probe"
    paper: ClassVar[str] = "Conneau et al. 2018, arXiv:1805.01070; Wieting & Kiela 2019, arXiv:1901.10444"
    family: ClassVar[str] = "baseline"
    knows_nothing: ClassVar[bool] = True

    def resources(self, backbone: Backbone | None, task: Task) -> Resources:
        """Returns the estimate with the random network, which is a second one."""
        needed = super().resources(backbone, task)
        return needed if backbone is None else needed.with_another_network(backbone.card())

    def fit_batch(self, jobs: Sequence[Job]) -> list[Predictor | FitEnded]:
        """Returns one predictor, or the reason it failed, for each job; jobs of one seed share one random encoder."""
        encoders: dict[int, Encoder] = {}
        for job in jobs:
            if job.seed not in encoders:
                encoders[job.seed] = _random_encoder(job)
        return super().fit_batch([job_on(job, encoders[job.seed]) for job in jobs])

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the predictor saved in a folder; the random weights are drawn again from the job's seed.

        Raises:
            UsageError: The folder holds no predictor of this strategy for the job's output.
        """
        return super().load(job_on(job, _random_encoder(job)), folder)


def _random_encoder(job: Job) -> Encoder:
    """Returns the backbone's architecture with weights drawn with the job's seed, in eval mode."""
    return job.load(pretrained=False).eval()
