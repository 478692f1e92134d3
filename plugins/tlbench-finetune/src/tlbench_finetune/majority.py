"""The baseline that stands in every table: an answer that never looks at the example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench import (
    Backbone,
    Classes,
    Job,
    MultiLabel,
    Output,
    PluginError,
    Predictions,
    Predictor,
    Scalar,
    Strategy,
    Task,
)

if TYPE_CHECKING:
    import numpy as np

    from tlbench.modeling.data import Data


@dataclass(frozen=True)
class Majority(Strategy):
    """The most frequent class, or the mean: what a score is worth that takes no learning."""

    name: ClassVar[str] = "majority"
    uses_backbone: ClassVar[bool] = False

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why not: there must be a most frequent answer."""
        if isinstance(task.output, Classes | MultiLabel | Scalar):
            return None
        return f"no constant answer to {type(task.output).__name__}"

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor of one answer, with the frequency of each class as its probability."""
        job.train.meter.rows += len(job.train)
        targets = [example.target for example in job.train.examples]
        return Constant(*_most_likely(job.task.output, targets, job.task.positive))


@dataclass(frozen=True)
class Constant:
    """Gives every example the same answer."""

    value: Any
    scores: np.ndarray | None = None
    """(K,) probabilities."""
    trainable_parameters: int = 0

    def predict(self, data: Data) -> Predictions:
        """Returns the answer for each example of the data."""
        import numpy as np

        count = len(data.examples)
        scores = None if self.scores is None else np.tile(self.scores, (count, 1))
        return Predictions(data.ids, np.repeat(np.asarray(self.value)[None], count, axis=0), scores)


def _most_likely(output: Output, targets: Sequence[Any], positive: int) -> tuple[Any, np.ndarray | None]:
    import numpy as np

    if isinstance(output, Scalar):
        return float(np.mean(targets)), None
    if isinstance(output, Classes):
        frequencies = np.bincount(targets, minlength=len(output.names)) / len(targets)
        # Of equally frequent classes the positive one, if it is among them: always "yes" is what F1 has to beat.
        tied = np.flatnonzero(frequencies == frequencies.max())
        return positive if positive in tied else int(tied[0]), frequencies
    if isinstance(output, MultiLabel):
        frequencies = np.mean(targets, axis=0)
        return (frequencies > 0.5).astype(np.int64), frequencies
    raise PluginError(f"no constant answer to {type(output).__name__}")
