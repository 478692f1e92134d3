"""Full fine-tuning after the top stages were given new random weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from tlbench import Job
from tlbench.training import GradientStrategy
from tlbench_finetune.finetuning.base_classes import TopStages


@dataclass(frozen=True)
class ReinitTop(TopStages):
    """Full fine-tuning in which the top stages start from random weights, as specialised to pre-training as they are.

    Few examples want more steps than usual too: Zhang et al. and Mosbach et al. train for up to 20 epochs.
    """

    name: ClassVar[str] = "reinit-top"
    paper: ClassVar[str] = "Zhang et al. 2021, arXiv:2006.05987; Mosbach et al. 2021, arXiv:2006.04884"
    changes_backbone: ClassVar[bool] = True
    stages: int = 1
    """Number of top stages that start from random weights."""

    def clash(self, parts: Mapping[str, GradientStrategy]) -> str | None:
        """Returns why random stages make no sense beside other parts (they would stay frozen), or None."""
        wrap = parts.get("wrap", self)
        top = getattr(wrap, "stages", None)
        if wrap.trains == "all" or (wrap.trains == "some stages" and isinstance(top, int) and top >= self.stages):
            return super().clash(parts)
        return f"{wrap.name} keeps stages as they are that reinit-top makes random"

    def begin(self, job: Job) -> Job:
        """Returns the job whose encoder has random weights in its top stages.

        Raises:
            PluginError: The encoder has too few stages to keep one.
        """
        import torch

        first = self.lowest(job)
        # Drawn by the architecture's own initialisation: that of a new encoder with this fit's seed.
        drawn = dict(job.load(pretrained=False).stage_parameters(first))
        with torch.no_grad():
            for name, weight in job.encoder.stage_parameters(first):
                weight.copy_(drawn[name])
        return job
