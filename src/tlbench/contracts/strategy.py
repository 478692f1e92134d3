"""The strategy contract: a way to adapt a backbone to a task, and all that one fit may see."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from typing import Protocol as TypingProtocol

from tlbench.contracts.backbone import Backbone
from tlbench.contracts.cell import Protocol
from tlbench.contracts.errors import FitEnded
from tlbench.contracts.outputs import Output, Predictions
from tlbench.contracts.resources import ROWS, Resources, Trainable, estimated
from tlbench.contracts.space import Space, Value
from tlbench.contracts.task import Examples, SplitName, Task

if TYPE_CHECKING:
    import torch

    from tlbench.modeling.activations.activation_cache import Activations
    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Encoder
    from tlbench.modeling.heads import Head

T = TypeVar("T")


@dataclass(frozen=True)
class TaskInfo:
    """What a strategy may know of the task: never its test split."""

    name: str
    output: Output
    metrics: tuple[str, ...]
    positive: int = 1

    @property
    def metric(self) -> str:
        """The primary metric."""
        return self.metrics[0]


@dataclass(frozen=True)
class About:
    """What a space may depend on."""

    task: TaskInfo
    protocol: Protocol
    backbone: Backbone | None


class Predictor(TypingProtocol):
    """What a fit returns: something that answers examples.

    It must keep its own state (a head, a weight matrix) but may share the encoder: the runner puts the encoder's
    weights back as the fit left them before it predicts.
    """

    def predict(self, data: Data) -> Predictions:
        """Returns an answer for each example of the data, in order."""

    def save(self, folder: Path) -> None:
        """Writes what `Strategy.load` makes the same predictor of: weights as safetensors, settings as JSON.

        The folder may not be there yet. The runner saves the best trial of a search, so that a kill costs no second fit
        of it. A predictor without `save` does as well: its fit is then made again.
        """


@dataclass(frozen=True)
class LoadedBackbone:
    """Another backbone than the fit's own, such as a teacher."""

    encoder: Encoder
    """Loaded anew, on the job's device, in eval mode."""
    featurize: Callable[[Examples], Data]
    """This backbone's own, for the job's task."""
    new_head: Callable[[], Head]
    """Returns a new head of the job's task on this encoder."""


@dataclass(frozen=True)
class OtherTask:
    """Another task's labelled data, as the job's backbone reads them; never its test split."""

    task: TaskInfo
    train: Data
    validation: Data
    new_head: Callable[[], Head]
    """Returns a new head of this task on the job's encoder."""


@dataclass(frozen=True)
class Job:
    """Everything that one fit may see. There is no test split in it."""

    encoder: Encoder
    """As freshly loaded, on `device`, in eval mode; what the fit does to it is undone after the fit."""
    head: Head
    """New, on `device`; drawn with this fit's seed."""
    train: Data
    validation: Data
    unlabeled: Callable[[], Data | None]
    """The task's own unlabelled split plus the train rows beyond `protocol.train_limit`, labels removed."""
    task: TaskInfo
    params: Mapping[str, Value]
    """The hyperparameters of this trial."""
    protocol: Protocol
    seed: int
    device: torch.device
    precision: str
    """Resolved: `fp32`, `bf16-autocast` or `bf16-weights`."""
    activations: Activations
    """What a frozen prefix of the encoder computes; computed once, shared by trials, seeds and strategies."""
    featurize: Callable[[Examples], Data]
    """The backbone's own, for augmented examples, prompts and pairs."""
    load: Callable[..., Encoder]
    """Loads this backbone anew (`load(pretrained=False)`: random weights drawn with this fit's seed), on `device`."""
    new_head: Callable[[Encoder], Head]
    """Returns another new head, for an encoder that `load` gave: a decoder is as pretrained as its encoder."""
    examples: Callable[[SplitName], Examples | None]
    """Raw texts or images of train, validation or unlabeled; asking for test raises `SealBroken`."""
    score: Callable[[Predictor], float]
    """The primary metric of a predictor on the validation split."""
    report: Callable[..., None]
    """`report(step, score, loss=None)` tells a validation score, as `score` returns it, and the training loss at a
    step; raises `Pruned` where the search stops the fit."""
    once: Callable[[str, Callable[[], Any]], Any]
    """Runs `make` at most once per cell, seed, key and process, shared by trials; each fit that asks is charged."""
    backbone: Callable[[str], LoadedBackbone]
    """Loads another backbone, which the strategy's `needs` name; wrap it in `once` where several fits read it."""
    other: Callable[[str], OtherTask]
    """Returns another task's data, which the strategy's `needs` name."""
    notes: dict[str, float] = field(default_factory=dict)
    """What the strategy wants kept in the trial: epochs run, best step, ..."""


class Strategy:
    """A way to adapt a backbone: subclass it as a frozen dataclass whose fields are its parameters."""

    name: ClassVar[str]
    version: ClassVar[int] = 1
    """Raise it when the results change."""
    paper: ClassVar[str] = ""
    uses_backbone: ClassVar[bool] = True
    """False for baselines that never look through a backbone: planned once per task."""
    batch_size: ClassVar[int] = 1
    """How many fits `fit_batch` takes at once; with more than 1 it must be overridden."""

    def space(self, about: About) -> Space:
        """Returns what the study may choose; empty where there is nothing to search."""
        return {}

    def defaults(self, about: About) -> Mapping[str, Value]:
        """Returns the setting that the first trial tries; of a study with one trial it is the only one.

        What it leaves out, the sampler chooses.
        """
        return {}

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor adapted to `job.train` with `job.params`.

        Raises:
            Pruned: The study's pruner stopped the trial (raised by `job.report`).
            Diverged: A loss, a weight or an output is not finite.
        """
        raise NotImplementedError

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns a predictor that its `save(folder)` wrote, on this job's fresh encoder and head.

        The job has the params and seed of the fit that was saved. Needed only where predictors have a `save`.

        Raises:
            UsageError: The folder holds no predictor that this strategy gives on such a job, or it is damaged: what is
                read is checked, since it may come from elsewhere.
        """
        raise NotImplementedError(f"{self.name} loads no predictor")

    def fit_batch(self, jobs: Sequence[Job]) -> list[Predictor | FitEnded]:
        """Returns a predictor, or the reason why there is none, for each job.

        The jobs are fits of one cell: several settings of one seed while a search goes on, the winner at several
        seeds afterwards. They share encoder, activations, validation and protocol; each has its own params, trial
        and seed, and with its seed its own training subset and its own head. Override it to train them in one pass.
        Each result must be the one that `fit` gives on the job alone, up to rounding, whatever its neighbours do:
        what one job cannot have is returned in its place and not raised. Each job's meter counts its own rows.
        """
        results: list[Predictor | FitEnded] = []
        for job in jobs:
            try:
                results.append(self.fit(job))
            except FitEnded as ended:
                results.append(ended)
        return results

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why this backbone and task cannot be combined with the strategy, or None if they can."""
        return None

    def needs(self) -> tuple[str, ...]:
        """Returns what else a fit reads: "backbone:x" (a teacher, by `Job.backbone`), "task:mnli" (by `Job.other`).

        It is part of the cell's identity, and `tlbench fetch` brings it. A plan skips the cell where it is missing, and
        where it is the task of the cell itself.
        """
        return ()

    def trainable(self, backbone: Backbone) -> Trainable:
        """Returns what of the backbone a fit trains: a number of its top stages, or of parameters anywhere in it.

        The estimate of its memory reads it, and the order in which a run opens its cells. By default nothing where
        several fits share a pass and with it the encoder, and else everything: a strategy that trains less says so, or
        is skipped where it would fit.
        """
        return Trainable(0) if self.batch_size > 1 else Trainable()

    def resources(self, backbone: Backbone | None, task: Task) -> Resources:
        """Returns what one fit asks of the machine, by default as the backbone's card lets it be estimated.

        A plan skips what does not fit. A strategy's field `train_batch_size` counts as the rows of a step.
        """
        if backbone is None:
            return Resources()
        rows: int = getattr(self, "train_batch_size", ROWS)
        writes = task.output.reads == "prompt"
        return estimated(backbone.card(), self.trainable(backbone), rows, writes=writes)
