"""The job: everything that one fit may see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tlbench.contracts.backbone import Card, Classifier
from tlbench.contracts.cell import Protocol
from tlbench.contracts.errors import PluginError
from tlbench.contracts.fits.other_models import LoadedBackbone, OtherOutput, OtherTask
from tlbench.contracts.fits.predictor import Predictor
from tlbench.contracts.fits.task_info import TaskInfo
from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import Output
from tlbench.contracts.space import Value
from tlbench.contracts.task import Examples, SplitName

# For type checkers only: `tlbench plan` and `list` import this module without NumPy and torch.
if TYPE_CHECKING:
    import torch

    from tlbench.modeling.activations.activation_cache import Activations
    from tlbench.modeling.data import Data
    from tlbench.modeling.devices.device_group import DeviceGroup
    from tlbench.modeling.encoder import Encoder
    from tlbench.modeling.heads import Head

NO_VALIDATION = (
    "this final fit trains on train and validation together, so there is no validation split: where job.held_out is "
    "None, use what the search noted, job.searched"
)
"""The error message for reading the validation split in a fit that has none."""


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
    reading: Callable[[Output], OtherOutput]
    """Returns how the job's backbone featurises examples and predicts for another kind of output than the task's."""
    classifier: Callable[[], Classifier | None]
    """Returns the classifier of the backbone's checkpoint on the job's encoder, as `Backbone.classifier` does."""
    card: Callable[[], Card] = Card
    """Returns the backbone's card; an empty one for a strategy without a backbone."""
    notes: dict[str, float] = field(default_factory=dict)
    """Numbers to keep in the trial's record, such as the epochs run or the best step."""
    losses: list[tuple[int, float]] = field(default_factory=list)
    """Steps and training losses, a few over the whole fit, which the records of final fits keep;
    `tlbench.training.train` replaces them by its own."""
    searched: Mapping[str, float] = field(default_factory=dict)
    """In a final fit without a validation split: the `notes` of the winner's fit in the search (with folds, their means
    over the folds). A strategy that chooses something on the validation split, such as the best epoch, notes it in the
    search and reads it here."""
    report_parts: tuple[int, ...] = ()
    """Parts of the fit after which `tlbench.training.train` reports a score in place of those of a pruner by rungs, as
    8 for an eighth of the steps. The pruner "none", as for a part of the fit that must not be stopped, turns all
    reports off."""

    batch_parts: int = 1
    """Number of parts in which `tlbench.training.train` trains each batch, above 1 after memory ran out with a whole
    batch. A strategy with a loop of its own may do the same, if that leaves the result of a step as it is."""

    device_group: DeviceGroup | None = None
    """The processes that run this fit together, each on a device of its own; None if it has one device. Only a strategy
    whose `why_one_device` is None has several."""

    @property
    def validation(self) -> Data:
        """The validation split.

        Raises:
            PluginError: There is none, because this final fit trains on it too.
        """
        if self.held_out is None:
            raise PluginError(NO_VALIDATION)
        return self.held_out
