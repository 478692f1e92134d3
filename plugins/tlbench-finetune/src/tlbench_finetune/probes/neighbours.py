"""k nearest neighbours among the training examples, by the frozen encoder's features."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tlbench import (
    Backbone,
    Classes,
    Diverged,
    Int,
    Job,
    Predictions,
    Predictor,
    Scalar,
    Space,
    SpaceContext,
    Task,
    Trainable,
    UsageError,
    Value,
)
from tlbench.contracts.exports.forms import FeatureModel, NearestHead
from tlbench_finetune.exported_baselines import no_adapter
from tlbench_finetune.probes.pair_features import Pairs, ReadsPairs, features_of, widths_of

if TYPE_CHECKING:
    from torch import Tensor

    from tlbench.modeling.data import Data

TEMPERATURE = 0.07
"""The weight of a neighbour is exp(cosine / TEMPERATURE), as in the papers."""
ROWS = 1024
"""Number of examples whose similarities to all training examples are in memory at a time."""


@dataclass(frozen=True)
class Neighbours(ReadsPairs):
    """Predicts by the k training examples with the most similar features, by cosine; nothing is trained.

    Classes get the share of the neighbours' weights, and a number is the neighbours' weighted mean.
    """

    name: ClassVar[str] = "knn"
    paper: ClassVar[str] = "Wu et al. 2018, arXiv:1805.01978; Caron et al. 2021, arXiv:2104.14294"

    def space(self, about: SpaceContext) -> Space:
        """Returns the range of the number of neighbours."""
        return {"k": Int(1, 200, log=True)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns the number of neighbours that the papers recommend."""
        return {"k": 20}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a task is not supported (its targets are neither classes nor numbers), or None."""
        if not isinstance(task.output, Classes | Scalar):
            return f"knn votes for one class or averages numbers; {type(task.output).__name__} is neither"
        if self.class_weight is not None:
            return "knn has no loss whose classes could be weighed: leave class_weight out"
        return super().supports(backbone, task)

    def trainable(self, backbone: Backbone) -> Trainable:
        """Returns `Trainable(0)`, because no encoder stage is trained."""
        return Trainable(0)

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor that keeps the features and targets of the training examples.

        Raises:
            Diverged: A feature is not finite.
            PluginError: An example has several rows.
        """
        import torch

        from tlbench_finetune.probes.samples import sample_of

        job.train.meter.rows += len(job.train)
        pairs = self.pairs_in(job)
        sample = sample_of(job, pairs=pairs)
        targets = sample.targets
        if isinstance(job.task.output, Scalar):
            targets = targets * sample.deviation + sample.mean
        units = torch.nn.functional.normalize(sample.features, dim=1)
        return NeighboursPredictor(job, units, targets, int(job.params["k"]), pairs)

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the predictor saved in a folder.

        Raises:
            UsageError: The folder holds no such predictor for the job's output.
        """
        return NeighboursPredictor.load(job, folder, self.pairs_in(job))


class NeighboursPredictor:
    """Predicts by the nearest of stored features."""

    trainable_parameters = 0

    def __init__(self, job: Job, units: Tensor, targets: Tensor, k: int, pairs: Pairs) -> None:
        """Keeps the training examples.

        Args:
            job: Gives the encoder and the output.
            units: The features of the training examples, (N, D), each of length 1.
            targets: Their classes, (N,) int64, or numbers, (N,) fp64.
            k: Number of neighbours; all examples if there are fewer.
            pairs: How two texts are read.
        """
        self.job, self.encoder, self.units, self.targets = job, job.encoder, units, targets
        self.k, self.pairs = k, pairs

    def predict(self, data: Data) -> Predictions:
        """Returns one prediction per example of the data, in order.

        Raises:
            Diverged: A feature is not finite.
        """
        import torch

        output = self.job.task.output
        queries = torch.nn.functional.normalize(features_of(self.job, data, self.pairs), dim=1)
        if not bool(queries.isfinite().all()):
            raise Diverged("a feature is not finite")
        parts = [self._neighbours(rows) for rows in queries.split(ROWS)]
        weights = torch.cat([weight for weight, _ in parts])
        nearest = torch.cat([index for _, index in parts])
        if isinstance(output, Scalar):
            return Predictions(data.ids, (weights * self.targets[nearest]).sum(1).cpu().numpy())
        votes = weights.new_zeros(len(weights), len(output.classes))
        votes.scatter_add_(1, self.targets[nearest], weights)
        return Predictions(data.ids, votes.argmax(1).cpu().numpy(), votes.cpu().numpy())

    def _neighbours(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the weights, (rows, k) fp64 that sum to 1, and the positions of the nearest training examples."""
        similarity, nearest = (queries @ self.units.T).topk(min(self.k, len(self.units)), dim=1)
        return (similarity.double() / TEMPERATURE).softmax(1), nearest

    def exportable(self, *, keep_adapter: bool = False) -> FeatureModel:
        """Returns the frozen encoder, and the features and targets of the training examples."""
        no_adapter(keep_adapter)
        return FeatureModel(self.encoder, NearestHead(self.units, self.targets, self.k, TEMPERATURE), self.pairs)

    def save(self, folder: Path) -> None:
        """Writes the features and targets of the training examples."""
        from tlbench.modeling.predictor_files import write_predictor

        settings = {"k": self.k, "examples": len(self.units), "pairs": self.pairs}
        weights = {"units": self.units, "targets": self.targets}
        write_predictor(folder, type(self).__name__, self.job.task.output, settings, weights)

    @classmethod
    def load(cls, job: Job, folder: Path, pairs: Pairs) -> NeighboursPredictor:
        """Returns the predictor saved in a folder.

        Raises:
            UsageError: The folder holds no such predictor, or one with other params, features or targets.
        """
        import torch

        from tlbench.modeling.predictor_files import read_settings, read_weights

        output = job.task.output
        settings = read_settings(folder, cls.__name__, output)
        count = settings.get("examples")
        if settings != {"k": int(job.params["k"]), "examples": count, "pairs": pairs} or type(count) is not int:
            raise UsageError(f"{folder} holds a predictor with other params: {settings!s:.80}")
        read = read_weights(folder, {"units": (count, sum(widths_of(job, pairs))), "targets": (count,)})
        # Copied because the tensors are views of the memory-mapped file, which may be deleted or overwritten.
        units, targets = (read[name].to(job.device, copy=True) for name in ("units", "targets"))
        wanted = torch.int64 if isinstance(output, Classes) else torch.float64
        classes = len(output.classes) or 1
        if targets.dtype != wanted or not units.is_floating_point() or not count:
            raise UsageError(f"{folder}: its targets are {targets.dtype}, not {wanted}, or its features no numbers")
        if isinstance(output, Classes) and not bool(((targets >= 0) & (targets < classes)).all()):
            raise UsageError(f"{folder}: a target is not one of the {classes} classes")
        return cls(job, units, targets, int(job.params["k"]), pairs)
