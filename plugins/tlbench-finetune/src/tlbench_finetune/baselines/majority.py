"""The majority baseline: the one answer, given to every example, that scores best on the training split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench import (
    Backbone,
    Classes,
    Job,
    MultiLabel,
    Output,
    Predictions,
    Predictor,
    Scalar,
    Strategy,
    Task,
    TokenClasses,
)
from tlbench.contracts.exports.forms import Program
from tlbench_finetune.baselines.saved_values import are, is_class, is_number, read_values
from tlbench_finetune.exported_baselines import baseline_program, no_adapter

if TYPE_CHECKING:
    import numpy as np

    from tlbench.modeling.data import Data


@dataclass(frozen=True)
class Majority(Strategy):
    """Predicts one constant answer: the class, label set, number or tag with the best primary metric on train.

    The answer depends on the training examples alone, not on the seed; with a `train_limit`, seeds have other training
    examples. Equally good answers are resolved by frequency in train, then by order. Probabilities are the frequencies
    of the classes.
    """

    name: ClassVar[str] = "majority"
    family: ClassVar[str] = "baseline"
    version: ClassVar[int] = 2
    uses_backbone: ClassVar[bool] = False
    is_baseline: ClassVar[bool] = True
    knows_nothing: ClassVar[bool] = True

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a task is not supported (its output has no constant answer), or None."""
        if isinstance(task.output, Classes | MultiLabel | Scalar | TokenClasses):
            return None
        return f"majority has no constant answer of {type(task.output).__name__}"

    def fit(self, job: Job) -> Predictor:
        """Returns a constant predictor whose scores are class frequencies.

        Raises:
            PluginError: The output has no constant answer.
        """
        from tlbench.metrics.best_constant import best_constant

        job.train.meter.rows += len(job.train)
        targets = [example.target for example in job.train.examples]
        value, scores = best_constant(job.task.output, targets, job.metric, job.task.positive)
        return ConstantAnswer(job.task.output, value, scores)

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the predictor saved in a folder.

        Raises:
            UsageError: The folder holds no such predictor for the job's output.
        """
        return ConstantAnswer.load(job.task.output, folder)


@dataclass(frozen=True)
class ConstantAnswer:
    """Predicts the same value for every example, or the same tag for every word."""

    output: Output
    value: Any
    scores: np.ndarray | None = None
    """(K,) class probabilities; None for numbers and tags."""
    trainable_parameters: int = 0

    def predict(self, data: Data) -> Predictions:
        """Returns the same prediction for each example of the data."""
        from tlbench.metrics.best_constant import constant_predictions

        lengths = [len(e.inputs[0]) for e in data.examples] if isinstance(self.output, TokenClasses) else ()
        return constant_predictions(self.output, self.value, self.scores, data.ids, lengths)

    def exportable(self, *, keep_adapter: bool = False) -> Program:
        """Returns a script that gives the answer."""
        import numpy as np

        no_adapter(keep_adapter)
        scores = None if self.scores is None else self.scores.tolist()
        return baseline_program("constant", {"value": np.asarray(self.value).tolist(), "scores": scores})

    def save(self, folder: Path) -> None:
        """Writes the predicted value and its class probabilities."""
        import numpy as np

        from tlbench.modeling.predictor_files import write_predictor

        scores = None if self.scores is None else self.scores.tolist()
        settings = {"value": np.asarray(self.value).tolist(), "scores": scores}
        write_predictor(folder, type(self).__name__, self.output, settings)

    @classmethod
    def load(cls, output: Output, folder: Path) -> ConstantAnswer:
        """Returns the predictor saved in a folder.

        Raises:
            UsageError: The folder holds no such predictor for this output.
        """
        import numpy as np

        value, scores = read_values(folder, cls, output, ("value", "scores"), _is_constant)
        prediction = np.array(value, dtype=np.int64) if isinstance(output, MultiLabel) else value
        return cls(output, prediction, None if scores is None else np.array(scores, dtype=np.float64))


def _is_constant(output: Output, value: Any, scores: Any) -> bool:
    count = len(output.classes)
    if isinstance(output, Scalar):
        return is_number(value) and scores is None
    if isinstance(output, TokenClasses):
        return is_class(value, count) and scores is None
    if isinstance(output, MultiLabel):
        return are(value, count, lambda label: is_class(label, 2)) and are(scores, count, is_number)
    return is_class(value, count) and are(scores, count, is_number)
