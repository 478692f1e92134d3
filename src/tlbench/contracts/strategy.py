"""The strategy contract: a method of adapting a backbone to a task, and the inputs of one fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from typing import Protocol as TypingProtocol

from tlbench.contracts.backbone import Backbone, Card
from tlbench.contracts.cell import Protocol
from tlbench.contracts.errors import FitEnded, PluginError
from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import Output, Predictions
from tlbench.contracts.resources import ROWS, Resources, Trainable, estimated
from tlbench.contracts.space import Space, Value
from tlbench.contracts.task import Examples, SplitName, Task

# For type checkers only: `tlbench plan` and `list` import this module without NumPy and torch.
if TYPE_CHECKING:
    import torch

    from tlbench.modeling.activations.activation_cache import Activations
    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Encoder
    from tlbench.modeling.heads import Head

T = TypeVar("T")
NO_VALIDATION = (
    "this final fit trains on train and validation together, so there is no validation split: where job.held_out is "
    "None, use what the search noted, job.searched"
)
"""The error message for reading the validation split in a fit that has none."""


@dataclass(frozen=True)
class TaskInfo:
    """The description of a task that a strategy receives; it gives no access to the test split."""

    name: str
    output: Output
    metrics: tuple[str, ...]
    """Names of the metrics, the primary one first."""
    positive: int = 1
    """The positive class of binary metrics."""
    pairs: bool = False
    """Whether an example's inputs are two texts to compare."""

    @property
    def metric(self) -> str:
        """The name of the primary metric."""
        return self.metrics[0]


@dataclass(frozen=True)
class SpaceContext:
    """The task, protocol and backbone, on which a search space may depend."""

    task: TaskInfo
    protocol: Protocol
    backbone: Backbone | None
    """None for a strategy that uses no backbone."""


class Predictor(TypingProtocol):
    """A fitted model, which returns predictions for examples.

    It must own what the fit trained outside the encoder (a head, a weight matrix) but may share the encoder: before
    `predict`, the runner restores the encoder's parameters to their state at the end of the fit.
    """

    def predict(self, data: Data) -> Predictions:
        """Returns one prediction for each example of the data, in order."""

    def save(self, folder: Path) -> None:
        """Writes the predictor to files for `Strategy.load`: parameters in safetensors, settings in JSON.

        The folder may not exist yet. The runner saves the best trial of a search, so that it need not be fitted again
        if the process is killed. `save` is optional: without it, the fit is repeated when needed.
        """


@dataclass(frozen=True)
class LoadedBackbone:
    """A second backbone for the same task, such as a teacher."""

    encoder: Encoder
    """The second backbone's encoder, freshly loaded, on the job's device, in eval mode."""
    featurize: Callable[[Examples], Data]
    """Tokenises or transforms examples of the job's task for this backbone."""
    new_head: Callable[[], Head]
    """Returns a new head for the job's task on this encoder."""
    about: SpaceContext
    """This backbone with the job's task and protocol, for the `space` and `defaults` of a strategy that adapts it."""


@dataclass(frozen=True)
class OtherTask:
    """Labelled data of another task, featurised for the job's backbone; without its test split."""

    task: TaskInfo
    train: Data
    validation: Data
    new_head: Callable[[], Head]
    """Returns a new head for this task on the job's encoder."""
    about: SpaceContext
    """This task with the job's backbone and protocol."""


@dataclass(frozen=True)
class Job:
    """The inputs of one fit: model, data, params and seed. It gives no access to the test split."""

    encoder: Encoder
    """The backbone's encoder with its pretrained parameters, on `device`, in eval mode. The fit may change it; all
    changes are undone after the fit."""
    head: Head
    """A new head on `device`, initialised with this fit's seed."""
    train: Data
    held_out: Data | None
    """The validation split, or None in a final fit that trains on it too (`final = "train+validation"`)."""
    unlabeled: Callable[[], Data | None]
    """Returns the task's unlabelled split and, unless that is of another domain (`Task.unlabeled_like`), the training
    rows beyond `protocol.train_limit`, labels removed; None if there are no rows."""
    task: TaskInfo
    metric: Metric
    """The task's primary metric. `tlbench.metrics.resampling.score` computes it for any predictions."""
    params: Mapping[str, Value]
    """The hyperparameters of this trial."""
    protocol: Protocol
    seed: int
    device: torch.device
    precision: str
    """`fp32`, `bf16-autocast` or `bf16-weights`; `auto` is resolved before the fit."""
    activations: Activations
    """The cache of hidden states of a frozen prefix of the encoder, shared by trials, seeds and strategies."""
    featurize: Callable[[Examples], Data]
    """Tokenises or transforms examples for the backbone, such as augmented examples, prompts and pairs."""
    load: Callable[..., Encoder]
    """Returns another copy of this backbone on `device`; `load(pretrained=False)` returns one with random weights drawn
    with this fit's seed."""
    new_head: Callable[[Encoder], Head]
    """Returns a new head for an encoder from `load`; a pretrained decoder is used only with a pretrained encoder."""
    examples: Callable[[SplitName], Examples | None]
    """Returns raw texts or images of train, validation or unlabeled, or None if there are none; `examples("test")`
    raises `SealBroken`."""
    score: Callable[[Predictor], float]
    """Returns the primary metric of a predictor on the validation split; raises `PluginError` where there is none."""
    report: Callable[..., None]
    """`report(step, score, loss=None, total=None)` reports a validation score, as returned by `score`, at a step of
    `total` (default: `protocol.max_steps`), and the training loss; it raises `Pruned` to stop the fit."""
    once: Callable[[str, Callable[[], Any]], Any]
    """`once(key, make)` returns the cached result of `make`, computed at most once per cell, seed, key and process. Its
    time counts towards every fit that uses it, so that costs do not depend on the order of fits."""
    backbone: Callable[[str], LoadedBackbone]
    """Loads another backbone, declared in the strategy's `needs`; wrap it in `once` to share it between fits."""
    other: Callable[[str], OtherTask]
    """Returns the data of another task, declared in the strategy's `needs`."""
    card: Callable[[], Card] = Card
    """Returns the backbone's card; an empty one for a strategy without a backbone."""
    notes: dict[str, float] = field(default_factory=dict)
    """Numbers to keep in the trial's record, such as the epochs run or the best step."""
    searched: Mapping[str, float] = field(default_factory=dict)
    """In a final fit without a validation split: the `notes` of the winner's fit in the search (with folds, their means
    over the folds). A strategy that chooses something on the validation split, such as the best epoch, notes it in the
    search and reads it here."""

    @property
    def validation(self) -> Data:
        """The validation split.

        Raises:
            PluginError: There is none, because this final fit trains on it too.
        """
        if self.held_out is None:
            raise PluginError(NO_VALIDATION)
        return self.held_out


class Strategy:
    """A method of adapting a backbone, such as fine-tuning: subclass it as a frozen dataclass with options as fields.

    Only `name` and `fit` are required. A strategy owns its fit: `tlbench.training` offers a training loop, but any code
    that returns a `Predictor` will do. Options are set in the strategy's name (`partial-finetune[stages=2]`), whereas
    params are searched in `space`.

    Guarantees: a fit is given no test split, starts from freshly loaded parameters, and gets the same training subset,
    seeds and number of trials as every other strategy. A final fit may have no validation split (`Job.held_out`). The
    runner measures time, memory and rows, but only the strategy can keep to the protocol's `max_steps` or `epochs`, as
    `tlbench.training.train` does.

    Example:
        from dataclasses import dataclass

        from tlbench import Float, Strategy

        @dataclass(frozen=True)
        class LayerwiseDecay(Strategy):
            name = "layerwise-decay"
            paper = "Howard & Ruder 2018, arXiv:1801.06146"

            def space(self, about):
                return {"lr": Float(1e-5, 1e-3, log=True), "decay": Float(0.6, 0.99)}

            def fit(self, job):
                from tlbench.training import Model, layer_decayed, train

                model = Model(job.encoder, job.head)
                groups = layer_decayed(model, job.params["lr"], job.params["decay"])
                return train(model, job.train, job, groups)
    """

    name: ClassVar[str]
    """Name of the strategy in suites, records and tables, in kebab-case."""
    version: ClassVar[int] = 1
    """Part of a cell's identity: increase it when the results change, so that old records are not reused."""
    paper: ClassVar[str] = ""
    """The reference of the method."""
    uses_backbone: ClassVar[bool] = True
    """False for baselines without a backbone, such as the majority class, which run once per task."""
    is_baseline: ClassVar[bool] = False
    """Whether a run without a suite adds this strategy to the tasks that it supports, to show which score is trivial.
    It must use no backbone."""
    knows_nothing: ClassVar[bool] = False
    """Whether this strategy is a floor: it uses no pretrained weights, and gains of others are measured over it."""
    batch_size: ClassVar[int] = 1
    """The maximum number of fits passed to `fit_batch`; override `fit_batch` if it is above 1."""
    needs_validation: ClassVar[bool] = False
    """Whether every fit reads the validation split, so that a plan skips cells whose winner is fitted on train and
    validation together. One that only reports scores, or notes what it chose, can do without (`Job.held_out`)."""
    needs_unlabeled: ClassVar[bool] = False
    """Whether every fit reads unlabelled examples; a plan skips cells without an unlabelled split or limited train."""

    def version_for(self, backbone: Backbone | None, task: Task) -> int:
        """Returns the version for a cell's id; override it if a change of results concerns only some cells."""
        return self.version

    def space(self, about: SpaceContext) -> Space:
        """Returns the search space of the params; empty if there are none. `When` makes params depend on others."""
        return {}

    def defaults(self, about: SpaceContext) -> Mapping[str, Value]:
        """Returns the params of the first, perhaps the only, trial; the sampler chooses those that are left out."""
        return {}

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor adapted to `job.train` with `job.params`.

        Raises:
            Pruned: The pruner stopped the trial (raised by `job.report`).
            Diverged: A loss, a parameter or a prediction is not finite.
        """
        raise NotImplementedError

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the predictor that was saved by `save(folder)`, on this job's fresh encoder and head.

        The job has the params and seed of the saved fit. Required only if predictors have a `save`.

        Raises:
            UsageError: The files are damaged or belong to another strategy or another kind of job. They may come from
                an untrusted source, so validate them.
        """
        raise NotImplementedError(f"{self.name} has no load(); define it, or remove save() from its predictor")

    def fit_batch(self, jobs: Sequence[Job]) -> list[Predictor | FitEnded]:
        """Returns each job's predictor, or the exception that ended its fit; override it to train jobs in one pass.

        The jobs are fits of one cell: several params at one seed during a search, the best params at several seeds
        afterwards. They share encoder, activations, validation and protocol. Each has its own params, trial and seed,
        and therefore its own training subset and head.

        Each result must equal that of `fit` on the job alone, up to rounding. The failure of one job must not affect
        the others, so return its `FitEnded` instead of raising it. Each job's data counts the rows it serves.
        """
        # The default has no shared pass, so that a strategy without `fit_batch` works with any number of jobs.
        results: list[Predictor | FitEnded] = []
        for job in jobs:
            try:
                results.append(self.fit(job))
            # Only expected ends of a fit are kept per job; any other exception is a bug and fails the whole batch.
            except FitEnded as ended:
                results.append(ended)
        return results

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why the strategy cannot adapt this backbone to this task, or None if it can."""
        return None

    def needs(self) -> tuple[str, ...]:
        """Returns the other inputs of a fit: "backbone:x" (for `Job.backbone`, a teacher), "task:x" (for `Job.other`).

        They are part of the cell's identity and are downloaded by `tlbench fetch`. The plan skips a cell if one of them
        is missing or is the cell's own task.
        """
        return ()

    def trainable(self, backbone: Backbone) -> Trainable:
        """Returns how much of the backbone is trained: a number of top stages, or of parameters anywhere in it.

        It determines the memory estimate and the order in which cells run. By default all of the backbone is trained,
        or none of it if several fits share one pass. Override it in a strategy that trains only a part of the backbone;
        otherwise its cells are skipped on machines that have enough memory for them.
        """
        # Fits that share a pass share the encoder, so none of them can train it.
        return Trainable(0) if self.batch_size > 1 else Trainable()

    def resources(self, backbone: Backbone | None, task: Task) -> Resources:
        """Returns the devices and memory that one fit requires, by default estimated from the backbone's card.

        The plan skips fits that exceed the machine's memory. The estimate reads the batch size from the strategy's
        field `train_batch_size`, if there is one.
        """
        if backbone is None:
            return Resources()
        rows: int = getattr(self, "train_batch_size", ROWS)
        # The head of a task that generates text is a whole decoder, trained with its own gradients and moments.
        writes = task.output.reads == "prompt"
        return estimated(backbone.card(), self.trainable(backbone), rows, writes=writes)
