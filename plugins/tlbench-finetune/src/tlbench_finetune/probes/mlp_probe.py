"""The MLP probe: a small network on the frozen encoder's readout, all trials and seeds trained together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from tlbench import Backbone, Classes, Float, Job, MultiLabel, Output, Scalar, Space, SpaceContext, Task, Value
from tlbench.training import check_recipe
from tlbench_finetune.probes.features import FeatureStrategy
from tlbench_finetune.probes.samples import Sample

if TYPE_CHECKING:
    from tlbench.training import HeadSetting, Layers, Linear

EPOCHS = 50.0
"""Number of epochs if the protocol sets neither steps nor epochs.

Passes over cached features are cheap, and a head with random weights needs more epochs than fine-tuning does.
"""


DECAY = Float(1e-2, 30.0, log=True)
"""Range of the weight decay, the probe's only regularisation."""
SEPARATE_DECAY = Float(1e-2, 300.0, log=True)
"""The range for separately read pairs, whose four times as many features need more. It contains `DECAY`, so that a
suite's overrides hold for both; where lr * weight_decay exceeds 1 a fit may diverge."""


@dataclass(frozen=True)
class MlpProbe(FeatureStrategy):
    """An MLP, by default with one hidden layer, on standardised features of the frozen encoder.

    Its gain over the linear probe shows how much of the information in the features is not linearly separable. It is
    trained with AdamW for the steps or epochs that the protocol sets. The networks of all trials and seeds are trained
    together: each layer of all networks is one batched matrix product per step.
    """

    name: ClassVar[str] = "mlp-probe"
    paper: ClassVar[str] = "Hewitt & Liang 2019, arXiv:1909.03368; Pimentel et al. 2020, arXiv:2004.03061"
    batch_size: ClassVar[int] = 16
    hidden: int = 128
    """Width of each hidden layer."""
    layers: int = 1
    """Number of hidden layers."""
    activation: Literal["gelu", "relu"] = "gelu"
    train_batch_size: int = 64
    """Rows per optimiser step. This is not `batch_size`, the number of trials that `fit_batch` takes."""
    warmup: float = 0.1
    """Fraction of the steps over which the learning rate rises from 0."""

    def __post_init__(self) -> None:
        check_recipe(self.name, self.train_batch_size, self.warmup)

    def space(self, about: SpaceContext) -> Space:
        """Returns the ranges of the learning rate and of the weight decay."""
        decay = DECAY if self.pairs_about(about) == "joined" else SEPARATE_DECAY
        return {"lr": Float(3e-4, 3e-2, log=True), "weight_decay": decay}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns params that suit about 1,000 training examples."""
        joined = self.pairs_about(about) == "joined"
        return {"lr": 5e-3, "weight_decay": 1.0} if joined else {"lr": 3e-3, "weight_decay": 100.0}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a task is not supported (the probe needs one vector per example), or None.

        Numbers of hidden layers or units below 1 are refused too.
        """
        if min(self.hidden, self.layers) < 1:
            return "hidden and layers must be at least 1 (linear-probe has no hidden layer)"
        if isinstance(task.output, Classes | MultiLabel | Scalar):
            return super().supports(backbone, task)
        return f"mlp-probe reads one vector per example, but {type(task.output).__name__} needs more"

    def widths(self) -> tuple[int, ...]:
        """Returns the widths of the hidden layers."""
        return (self.hidden,) * self.layers

    def head_of(self, maps: Sequence[Linear]) -> Layers:
        """Returns the network with these layers."""
        from tlbench.training import Layers

        return Layers(tuple(maps), self.activation)

    def heads(self, jobs: Sequence[Job], samples: Sequence[Sample]) -> list[Layers]:
        """Returns one trained network per job, all trained together."""
        from tlbench.training import train_heads

        output = jobs[0].task.output
        heads = train_heads(
            [self._setting(job, sample) for job, sample in zip(jobs, samples, strict=True)],
            len(output.names) if isinstance(output, Classes | MultiLabel) else 1,
            self.widths(),
            activation=self.activation,
            batch_size=self.train_batch_size,
            warmup=self.warmup,
        )
        return [_in_units(head, sample, output) for head, sample in zip(heads, samples, strict=True)]

    def _setting(self, job: Job, sample: Sample) -> HeadSetting:
        from tlbench.training import HeadSetting, step_count

        examples, protocol = len(sample.features), job.protocol
        # Counted as by the training loop, so that `max_steps` and `epochs` mean the same for all strategies.
        steps = step_count(examples, self.train_batch_size, protocol.max_steps, protocol.epochs or EPOCHS)
        # The rows never pass through the metered Data object, since their features come from the cache.
        job.train.meter.rows += steps * min(self.train_batch_size, examples)
        job.notes["steps"] = steps
        lr, decay = float(job.params["lr"]), float(job.params["weight_decay"])
        return HeadSetting(sample.features, sample.targets, job.seed, lr, decay, steps, sample.row_weights)


def _in_units(head: Layers, sample: Sample, output: Output) -> Layers:
    """Returns the head with its last layer rescaled to the task's own units."""
    from tlbench.training import Layers

    return Layers((*head.maps[:-1], sample.in_units(head.maps[-1], output)), head.activation)
