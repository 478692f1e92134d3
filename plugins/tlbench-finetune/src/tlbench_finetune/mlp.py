"""A small network on the readout of a frozen encoder, all settings and seeds of it trained at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from tlbench import About, Backbone, Classes, Float, Job, MultiLabel, Output, Scalar, Space, Task, Value
from tlbench_finetune.features import FeatureStrategy, Sample
from tlbench_finetune.rates import check_recipe

if TYPE_CHECKING:
    from tlbench.training import HeadSetting, Layers, Linear

EPOCHS = 50.0
"""Where the protocol names neither steps nor epochs: a head on features that are there wants, and can pay, more than
the few that fine-tuning needs."""


@dataclass(frozen=True)
class MlpProbe(FeatureStrategy):
    """A network of one hidden layer on standardised features of the frozen encoder; no weight of it moves.

    What it gains over a linear probe is in the features, but not laid out in a straight line. It is trained by AdamW
    for as long as the protocol says; all settings of all seeds are trained in one batched product a layer and step.
    """

    name: ClassVar[str] = "mlp-probe"
    paper: ClassVar[str] = "Hewitt & Liang 2019, arXiv:1909.03368; Pimentel et al. 2020, arXiv:2004.03061"
    batch_size: ClassVar[int] = 16
    hidden: int = 128
    """The width of a hidden layer."""
    layers: int = 1
    """How many hidden layers."""
    activation: Literal["gelu", "relu"] = "gelu"
    train_batch_size: int = 64
    """Rows in one step; `batch_size` is how many trials `fit_batch` takes."""
    warmup: float = 0.1
    """The share of steps over which the learning rate rises."""

    def __post_init__(self) -> None:
        check_recipe(self.name, self.train_batch_size, self.warmup)

    def space(self, about: About) -> Space:
        """Returns the learning rate and the decay of the weights, which is the whole of the regularisation."""
        return {"lr": Float(3e-4, 3e-2, log=True), "weight_decay": Float(1e-2, 30.0, log=True)}

    def defaults(self, about: About) -> dict[str, Value]:
        """Returns a setting that suits about 1,000 examples."""
        return {"lr": 5e-3, "weight_decay": 1.0}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why not: the readout is one vector an example, and there must be a hidden layer."""
        if min(self.hidden, self.layers) < 1:
            return "hidden and layers must be at least 1"
        if isinstance(task.output, Classes | MultiLabel | Scalar):
            return None
        return f"an mlp probe reads one vector an example; {type(task.output).__name__} needs more"

    def widths(self) -> tuple[int, ...]:
        """Returns the widths of the hidden layers."""
        return (self.hidden,) * self.layers

    def head_of(self, maps: Sequence[Linear]) -> Layers:
        """Returns the network of these layers."""
        from tlbench.training import Layers

        return Layers(tuple(maps), self.activation)

    def heads(self, jobs: Sequence[Job], samples: Sequence[Sample]) -> list[Layers]:
        """Returns a network for each setting and seed, all trained at once."""
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

        count, protocol = len(sample.features), job.protocol
        steps = step_count(count, self.train_batch_size, protocol.max_steps, protocol.epochs or EPOCHS)
        job.train.meter.rows += steps * min(self.train_batch_size, count)
        job.notes["steps"] = steps
        lr, decay = float(job.params["lr"]), float(job.params["weight_decay"])
        return HeadSetting(sample.features, sample.targets, job.seed, lr, decay, steps)


def _in_units(head: Layers, sample: Sample, output: Output) -> Layers:
    """Returns the head that answers in the task's own numbers."""
    from tlbench.training import Layers

    return Layers((*head.maps[:-1], sample.in_units(head.maps[-1], output)), head.activation)
