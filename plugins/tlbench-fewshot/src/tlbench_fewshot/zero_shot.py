"""Base class of strategies that tell classes by their names, and their predictor. Imports no torch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from tlbench import (
    Backbone,
    Classes,
    Diverged,
    Examples,
    Job,
    Output,
    Predictions,
    Predictor,
    Strategy,
    Task,
    Trainable,
    UsageError,
)
from tlbench_fewshot.label_names import label_error, label_texts

if TYPE_CHECKING:
    from torch import Tensor

    from tlbench.modeling.data import Data

    Logits: TypeAlias = Callable[[Examples], Tensor]

CHUNK = 256
"""Number of examples that are read with all labels at a time."""


@dataclass(frozen=True)
class ZeroShot(Strategy):
    """Base class of strategies that train no weights and know classes by their names."""

    family: ClassVar[str] = "few and zero shot"
    labels: str = ""
    """A text for each class, joined by "|", in the order of the classes; empty for the names of the classes."""

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a task is not supported (its classes have no readable names), or None."""
        return label_error(task, self.labels)

    def trainable(self, backbone: Backbone) -> Trainable:
        """Returns `Trainable(0)`, because nothing is trained."""
        return Trainable(0)

    def texts(self, output: Output) -> tuple[str, ...]:
        """Returns the text of each class."""
        assert isinstance(output, Classes)
        return label_texts(output, self.labels)

    def settings(self, job: Job) -> dict[str, Any]:
        """Returns the settings that a saved predictor must repeat: params and label texts, as JSON values."""
        return {"params": dict(job.params), "labels": list(self.texts(job.task.output))}

    @abstractmethod
    def logits(self, job: Job, settings: Mapping[str, Any]) -> Logits:
        """Returns a function from examples to the logits of their classes, (N, K)."""

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor that compares texts with class names."""
        settings = self.settings(job)
        return LabelPredictor(job, self.logits(job, settings), settings)

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the predictor saved in a folder.

        Raises:
            UsageError: The folder holds no such predictor, or one with other params or labels.
        """
        from tlbench.modeling.predictor_files import read_settings

        settings = read_settings(folder, LabelPredictor.__name__, job.task.output)
        self.check_settings(job, folder, settings)
        return LabelPredictor(job, self.logits(job, settings), settings)

    def check_settings(self, job: Job, folder: Path, settings: Mapping[str, Any]) -> None:
        """Checks the settings of a saved predictor.

        Raises:
            UsageError: They are not those of this job.
        """
        if dict(settings) != self.settings(job):
            raise UsageError(f"{folder} holds a predictor with other params or labels: {dict(settings)!s:.80}")


@dataclass(frozen=True)
class LabelPredictor:
    """Predicts the class with the highest logit."""

    job: Job
    logits: Logits
    settings: Mapping[str, Any] = field(default_factory=dict)
    trainable_parameters: int = 0

    def predict(self, data: Data) -> Predictions:
        """Returns one prediction per example of the data, in order.

        Raises:
            Diverged: A logit is not finite.
        """
        import torch

        examples = data.examples
        chunks = [examples[start : start + CHUNK] for start in range(0, len(examples), CHUNK)]
        # Targets are left out, since no logit may depend on them.
        logits = torch.cat([self.logits(chunk.without_targets()).float() for chunk in chunks])
        if not bool(logits.isfinite().all()):
            raise Diverged("a prediction is not finite")
        return Predictions(data.ids, logits.argmax(1).cpu().numpy(), logits.softmax(1).cpu().numpy())

    def save(self, folder: Path) -> None:
        """Writes the settings, since no weight is trained."""
        from tlbench.modeling.predictor_files import write_predictor

        write_predictor(folder, type(self).__name__, self.job.task.output, self.settings)
