"""Clustering: k-means on the frozen backbone's features. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tlbench_finetune.probes.features import FeatureStrategy

from tlbench import Backbone, Choice, Classes, Int, Job, Space, SpaceContext, Task, Value, When

if TYPE_CHECKING:
    from tlbench_finetune.probes.samples import Sample

    from tlbench.training import Linear

PROJECTIONS = ("none", "pca", "whiten")
"""The preprocessing of the features before they are clustered."""


@dataclass(frozen=True)
class Cluster(FeatureStrategy):
    """K-means on standardised features of the frozen encoder, with as many clusters as classes and no labels.

    Labels of the training examples serve only to give each cluster the name of a class, one to one, so that as many of
    them as possible agree (Kuhn 1955). NMI, ARI and purity do not depend on the names; accuracy does. A search chooses
    the projection by the task's metric on the validation split, which uses labels.
    """

    name: ClassVar[str] = "cluster"
    paper: ClassVar[str] = "Lloyd 1982, doi:10.1109/TIT.1982.1056489; whitening: Su et al. 2021, arXiv:2103.15316"
    family: ClassVar[str] = "frozen features"
    batch_size: ClassVar[int] = 16

    def space(self, about: SpaceContext) -> Space:
        """Returns the projections of the features, and the number of principal components where some are chosen."""
        return {
            "projection": Choice(PROJECTIONS),
            **When("projection", ("pca", "whiten"), components=Int(2, 256, log=True)),
        }

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns unprojected features."""
        return {"projection": "none"}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a task is not supported (its targets are not one class per example), or None."""
        if not isinstance(task.output, Classes):
            return f"cluster puts each example into one cluster; {type(task.output).__name__} has other targets"
        if self.class_weight is not None:
            return "k-means reads no classes that could be weighed: leave class_weight out"
        return super().supports(backbone, task)

    def heads(self, jobs: Sequence[Job], samples: Sequence[Sample]) -> list[Linear]:
        """Returns one linear map per job: minus half the squared distance from a centre, up to a common constant."""
        from tlbench_unsupervised.k_means import nearest_centre

        heads = []
        for job, sample in zip(jobs, samples, strict=True):
            job.train.meter.rows += len(job.train)
            projection = str(job.params["projection"])
            components = None if projection == "none" else int(job.params["components"])
            classes = len(job.task.output.classes)
            heads.append(nearest_centre(sample, classes, components, projection == "whiten", job.seed))
        return heads
