"""The cosine baseline: the similarity of a frozen encoder's embeddings of the two texts of a pair."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench import (
    Backbone,
    Classes,
    Diverged,
    Example,
    Examples,
    Job,
    Output,
    PluginError,
    Predictions,
    Predictor,
    Scalar,
    Strategy,
    Task,
    Trainable,
)
from tlbench.contracts.exports.forms import DenseHead, FeatureModel
from tlbench_finetune.baselines.saved_values import is_number, read_values
from tlbench_finetune.exported_baselines import no_adapter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tlbench.modeling.data import Data


@dataclass(frozen=True)
class Cosine(Strategy):
    """Cosine of the two texts' embeddings by the frozen encoder; each text is encoded alone, and nothing is trained.

    A number is the cosine, mapped linearly by least squares on train. For two classes, the threshold and its direction
    have the best primary metric on train; the probabilities are a logistic function of the distance from the
    threshold.
    """

    name: ClassVar[str] = "cosine"
    paper: ClassVar[str] = "Reimers & Gurevych 2019, arXiv:1908.10084"
    family: ClassVar[str] = "frozen features"

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a task is not supported (no pairs of texts, or not two classes or a number)."""
        if isinstance(task.output, Classes) and len(task.output.names) != 2:
            return f"cosine divides two classes by one threshold, but {task.name} has {len(task.output.names)}"
        if not isinstance(task.output, Classes | Scalar):
            return f"cosine predicts one of two classes or a number, not {type(task.output).__name__}"
        return None if task.pairs else f"cosine compares two texts, but the examples of {task.name} are no pairs"

    def trainable(self, backbone: Backbone) -> Trainable:
        """Returns `Trainable(0)`, because no encoder stage is trained."""
        return Trainable(0)

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor that maps cosines to numbers or divides them by a threshold.

        Raises:
            PluginError: An example is not a pair of texts, or a text has several rows.
            Diverged: An embedding is not finite.
        """
        import numpy as np

        from tlbench_finetune.baselines.similarity import best_logit, least_squares

        job.train.meter.rows += 2 * len(job.train)
        cosines = cosines_of(job, job.train.examples)
        targets = np.asarray([example.target for example in job.train.examples])
        if isinstance(job.task.output, Scalar):
            slope, offset = least_squares(cosines, targets)
        else:
            slope, offset = best_logit(cosines, targets, job.metric, job.task.positive)
        return CosinePredictor(job, slope, offset)

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the predictor saved in a folder.

        Raises:
            UsageError: The folder holds no such predictor for the job's output.
        """
        values = read_values(folder, CosinePredictor, job.task.output, ("slope", "offset"), _are_numbers)
        return CosinePredictor(job, *values)


@dataclass(frozen=True)
class CosinePredictor:
    """Predicts `slope * cosine + offset`: a number, or the logit of the second of two classes."""

    job: Job
    """Gives the encoder, and featurizes single texts."""
    slope: float
    offset: float
    trainable_parameters: int = 2

    def predict(self, data: Data) -> Predictions:
        """Returns one prediction per example of the data, in order.

        Raises:
            Diverged: An embedding is not finite.
        """
        import numpy as np
        from scipy.special import expit

        values = self.slope * cosines_of(self.job, data.examples) + self.offset
        if isinstance(self.job.task.output, Scalar):
            return Predictions(data.ids, values)
        second = expit(values)
        return Predictions(data.ids, (values > 0).astype(np.int64), np.stack([1 - second, second], axis=1))

    def exportable(self, *, keep_adapter: bool = False) -> FeatureModel:
        """Returns the frozen encoder, and a linear layer on the cosine, the last of a pair's features."""
        import torch

        no_adapter(keep_adapter)
        features = 4 * self.job.encoder.width + 1
        outputs = 1 if isinstance(self.job.task.output, Scalar) else 2
        # The logit of the first of two classes is 0.
        weight, bias = torch.zeros(outputs, features, dtype=torch.float64), torch.zeros(outputs, dtype=torch.float64)
        weight[-1, -1], bias[-1] = self.slope, self.offset
        return FeatureModel(self.job.encoder, DenseHead(((weight, bias),)), "separate")

    def save(self, folder: Path) -> None:
        """Writes slope and offset, since the encoder is unchanged."""
        from tlbench.modeling.predictor_files import write_predictor

        settings = {"slope": self.slope, "offset": self.offset}
        write_predictor(folder, type(self).__name__, self.job.task.output, settings)


def cosines_of(job: Job, examples: Examples) -> NDArray[np.float64]:
    """Returns the cosine of the frozen encoder's embeddings of each pair of texts, (N,); 0 if one of them is 0.

    Raises:
        PluginError: An example is not a pair of texts, or a text has several rows.
        Diverged: An embedding is not finite.
    """
    import numpy as np

    if wrong := next((example for example in examples if len(example.inputs) != 2), None):
        raise PluginError(
            f"cosine compares two texts, but the example {wrong.id!r} of {job.task.name} has {len(wrong.inputs)}"
        )
    first, second = (_embeddings(job, examples, place) for place in range(2))
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    products: NDArray[np.float64] = (first * second).sum(axis=1)
    return np.divide(products, lengths, out=np.zeros(len(products)), where=lengths > 0)


def _embeddings(job: Job, examples: Examples, place: int) -> NDArray[np.float64]:
    # Targets are left out, since an embedding depends on the text alone.
    texts = Examples(Example(example.id, (example.inputs[place],)) for example in examples)
    data = job.featurize(texts)
    if len(data) != len(texts):
        raise PluginError("cosine needs one row per text, but featurize returned several rows for some texts")
    features = job.activations.features(job.encoder, data, job.precision)
    if not bool(features.isfinite().all()):
        raise Diverged("an embedding is not finite")
    embeddings: Any = features.double().cpu().numpy()
    return embeddings  # type: ignore[no-any-return]


def _are_numbers(output: Output, slope: Any, offset: Any) -> bool:
    return is_number(slope) and is_number(offset)
