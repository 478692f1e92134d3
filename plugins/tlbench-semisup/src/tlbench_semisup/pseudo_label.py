"""Pseudo-labels: the model's own confident predictions of unlabelled examples are trained on. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tlbench import Float, Job, Space, SpaceContext, UsageError, Value
from tlbench.training import Objective
from tlbench_semisup.unlabeled_training import UnlabeledTraining

if TYPE_CHECKING:
    import numpy as np

    from tlbench.training import Model


@dataclass(frozen=True)
class PseudoLabel(UnlabeledTraining):
    """Trains on the labels, then also on its own predictions of unlabelled examples that are confident enough.

    The steps are divided into `rounds` + 1 equal parts. At the start of each but the first the unlabelled examples are
    predicted, and those with a probability of at least `threshold` have a label until the next. The weight of their
    loss grows from round to round up to `weight`, as in the paper, which predicts at each step and has no threshold.
    """

    name: ClassVar[str] = "pseudo-label"
    paper: ClassVar[str] = "Lee 2013, Pseudo-Label, ICML workshop on challenges in representation learning"
    rounds: int = 3
    """Number of times that the unlabelled examples are predicted."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rounds < 1:
            raise UsageError(f"{self.name}[rounds={self.rounds}]: at least 1 round")

    def space(self, about: SpaceContext) -> Space:
        """Returns the learning rates, the threshold, and the weight of the pseudo-labels up to the paper's 3."""
        return {**super().space(about), "threshold": Float(0.7, 0.99), "weight": Float(0.3, 3.0, log=True)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns the usual threshold of later work, 0.95, and a pseudo-label that counts as much as a label."""
        return {**super().defaults(about), "threshold": 0.95, "weight": 1.0}

    def chosen(self, probabilities: np.ndarray, progress: float, job: Job) -> np.ndarray:
        """Returns the rows that get a pseudo-label, given probabilities (rows, K) and the share of rounds begun."""
        return (probabilities.max(1) >= float(job.params["threshold"])).nonzero()[0]

    def weight(self, job: Job) -> float:
        """Returns the weight of the pseudo-labels' loss in the last round."""
        return float(job.params["weight"])

    def objective(self, model: Model, job: Job) -> Objective:
        """Returns the task's loss and that of pseudo-labels."""
        from tlbench_semisup.label_rounds import LabelRounds

        rounds = LabelRounds(
            model, job, self.unlabeled(job),
            lambda probabilities, progress: self.chosen(probabilities, progress, job),
            rounds=self.rounds, weight=self.weight(job), size=self.unlabeled_batch_size,
        )  # fmt: skip
        return Objective(rounds.loss)
