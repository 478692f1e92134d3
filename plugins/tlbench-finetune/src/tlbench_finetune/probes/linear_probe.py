"""The linear probe: ridge or logistic regression on the frozen encoder's features, solved to convergence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from tlbench import (
    Backbone,
    Classes,
    FitEnded,
    Float,
    Int,
    Job,
    MultiLabel,
    Predictor,
    Scalar,
    Space,
    SpaceContext,
    Task,
    TokenClasses,
    Value,
)
from tlbench_finetune.probes.features import FeatureStrategy
from tlbench_finetune.probes.layers import best, mixed, of_each_stage, reading_every_stage
from tlbench_finetune.probes.pair_features import widths_of
from tlbench_finetune.probes.regressions import solve_all
from tlbench_finetune.probes.samples import Sample, sample_of

if TYPE_CHECKING:
    from tlbench.training import ClassWeight, Linear

L2 = Float(1e-5, 10.0, log=True)
"""Range of the L2 penalty added to the mean loss on standardised features.

For 1,000 examples it corresponds to values of scikit-learn's C from 100 down to 0.0001.
"""
DEFAULT_L2 = 0.1
SEPARATE_L2 = Float(1e-5, 100.0, log=True)
"""The range for separately read pairs: four times as many features, most of which repeat what the cosine says, need a
stronger penalty. It contains `L2`, so that a suite's overrides hold for both."""
DEFAULT_SEPARATE_L2 = 3.0


@dataclass(frozen=True)
class LinearProbe(FeatureStrategy):
    """Logistic or ridge regression on standardised features of the frozen encoder.

    Multi-label tasks get one independent regression per label; token classification reads the first sub-word of each
    word. All penalties of all seeds are solved in one pass over features that are computed once.

    By default the head reads the last stage. With `layers=mix` it reads a weighted mean of all stages, whose weights
    are learned with it; with `layers=best` there is a head for each stage, of which the validation split chooses one.
    The record's notes have the weights, or the scores and the chosen stage.
    """

    name: ClassVar[str] = "linear-probe"
    paper: ClassVar[str] = "Alain & Bengio 2016, arXiv:1610.01644; Kornblith et al. 2019, arXiv:1805.08974"
    batch_size: ClassVar[int] = 64
    layers: Literal["last", "mix", "best"] = "last"
    """Which stages of the encoder are read: the last; all, as ELMo's scalar mix (Peters et al. 2018, arXiv:1802.05365);
    or the best of them (Liu et al. 2019, arXiv:1903.08855)."""
    projection: Literal["none", "pca", "whiten"] = "none"
    """What the head reads of the standardised features: all; their principal components of largest variance, whose
    number is searched; or these scaled to variance 1 (Su et al. 2021, arXiv:2103.15316)."""

    def space(self, about: SpaceContext) -> Space:
        """Returns the range of the L2 penalty and, with a projection, the number of components."""
        penalty = {"l2": L2 if self.pairs_about(about) == "joined" else SEPARATE_L2}
        return penalty if self.projection == "none" else {**penalty, "components": Int(2, 256, log=True)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns a penalty and a number of components that suit about 1,000 training examples."""
        penalty = {"l2": DEFAULT_L2 if self.pairs_about(about) == "joined" else DEFAULT_SEPARATE_L2}
        return penalty if self.projection == "none" else {**penalty, "components": 64}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a task is not supported (there must be one feature vector per prediction), or None."""
        if self.projection != "none" and self.layers != "last":
            return f"projection={self.projection} is of one stage: leave layers={self.layers} out"
        if isinstance(task.output, Classes | MultiLabel | Scalar | TokenClasses):
            return super().supports(backbone, task)
        return f"{self.name} reads one vector per example or word, but {type(task.output).__name__} needs more"

    def fit_batch(self, jobs: Sequence[Job]) -> list[Predictor | FitEnded]:
        """Returns one predictor, or the reason it failed, for each job; all heads are solved in one pass."""
        return super().fit_batch(self._reading(jobs))

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the predictor saved in a folder.

        Raises:
            UsageError: The folder holds no predictor of this strategy for the job's output.
        """
        return super().load(self._reading([job])[0], folder)

    def _reading(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Returns the jobs with encoders that put out the stages that are read."""
        return jobs if self.layers == "last" else reading_every_stage(jobs)

    def heads(self, jobs: Sequence[Job], samples: Sequence[Sample]) -> list[Linear]:
        """Returns one solved linear map per job, all solved together."""
        # Jobs that differ only in seed and see the same rows have the same optimum: solved once per penalty.
        samples = self._projected(jobs, samples)
        penalties: dict[Sample, set[float]] = {}
        for job, sample in zip(jobs, samples, strict=True):
            job.train.meter.rows += len(job.train)
            penalties.setdefault(sample, set()).add(float(job.params["l2"]))
        # By identity: `Sample` has eq=False, since comparing tensors with == gives a tensor.
        wanted = [(job, sample, float(job.params["l2"])) for job, sample in zip(jobs, samples, strict=True)]
        output, pairs = jobs[0].task.output, self.pairs_in(jobs[0])
        widths = widths_of(jobs[0], pairs)
        if len(widths) == 1:
            solved = solve_all(penalties, output)
            return [solved[sample][penalty] for _, sample, penalty in wanted]
        if self.layers == "best":
            of_stages = of_each_stage(penalties, widths, output)
            return [best(job, of_stages[sample][penalty], pairs) for job, sample, penalty in wanted]
        of_mixes = mixed(penalties, widths, output)
        for job, sample, penalty in wanted:
            job.notes.update({f"weight_{stage}": share for stage, share in enumerate(of_mixes[sample][penalty][1])})
        return [of_mixes[sample][penalty][0] for _, sample, penalty in wanted]

    def _projected(self, jobs: Sequence[Job], samples: Sequence[Sample]) -> Sequence[Sample]:
        """Returns the samples with the components that each job reads; equal ones are one object."""
        if self.projection == "none":
            return samples
        known: dict[tuple[Sample, int], Sample] = {}
        for job, sample in zip(jobs, samples, strict=True):
            key = sample, int(job.params["components"])
            known.setdefault(key, replace(sample, components=key[1], whitens=self.projection == "whiten"))
        return [known[sample, int(job.params["components"])] for job, sample in zip(jobs, samples, strict=True)]


def solve(job: Job, penalties: Sequence[float], class_weight: ClassWeight | None = None) -> list[Linear]:
    """Returns a linear map from the job's features to logits, or to numbers in task units, for each penalty.

    Args:
        job: The job.
        penalties: The L2 penalties.
        class_weight: "balanced" to weigh classes inversely to their frequency; None for equal weights.

    Raises:
        Diverged: A feature is not finite.
        PluginError: The output has no per-example or per-word features.
    """
    sample = sample_of(job, class_weight)
    (maps,) = solve_all({sample: set(penalties)}, job.task.output).values()
    return [maps[penalty] for penalty in penalties]
