"""Self-training: class-balanced pseudo-labels of the target domain. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tlbench_semisup.pseudo_label import PseudoLabel
from tlbench_semisup.unlabeled_training import UnlabeledTraining

from tlbench import Float, Job, Space, SpaceContext, Value
from tlbench_domain.adaptation import DomainAdaptation

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class SelfTraining(DomainAdaptation, PseudoLabel):
    """Class-balanced self-training: the most confident predictions of each class in the target become labels.

    As `pseudo-label` in rounds, but a share of each predicted class is taken, which grows from round to round: under a
    shift a fixed threshold would take the easiest class alone.
    """

    name: ClassVar[str] = "self-training"
    paper: ClassVar[str] = "Zou et al. 2018, arXiv:1810.07911"

    def space(self, about: SpaceContext) -> Space:
        """Returns the learning rates, and the share of each class in the last round (0.2 to 0.5 in the paper)."""
        return {**UnlabeledTraining.space(self, about), "share": Float(0.2, 0.8)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns the paper's largest share."""
        return {**UnlabeledTraining.defaults(self, about), "share": 0.5}

    def weight(self, job: Job) -> float:
        """Returns the weight of the pseudo-labels' loss in the last round: that of the labels."""
        return 1.0

    def chosen(self, probabilities: np.ndarray, progress: float, job: Job) -> np.ndarray:
        """Returns the most confident rows of each predicted class, given the share of rounds begun."""
        import numpy as np

        labels, confidence = probabilities.argmax(1), probabilities.max(1)
        rows = [np.flatnonzero(labels == label) for label in range(probabilities.shape[1])]
        share = float(job.params["share"]) * progress
        best = [one[np.argsort(-confidence[one], kind="stable")][: int(np.ceil(share * len(one)))] for one in rows]
        return np.sort(np.concatenate(best))
