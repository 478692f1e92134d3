"""The linear probe: ridge or logistic regression on the frozen encoder's features, solved to convergence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tlbench import (
    Backbone,
    Classes,
    Float,
    Job,
    MultiLabel,
    Output,
    Scalar,
    Space,
    SpaceContext,
    Task,
    TokenClasses,
    Value,
)
from tlbench_finetune.probes.features import FeatureStrategy
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
    """

    name: ClassVar[str] = "linear-probe"
    paper: ClassVar[str] = "Alain & Bengio 2016, arXiv:1610.01644; Kornblith et al. 2019, arXiv:1805.08974"
    batch_size: ClassVar[int] = 64

    def space(self, about: SpaceContext) -> Space:
        """Returns the range of the L2 penalty."""
        return {"l2": L2 if self.pairs_about(about) == "joined" else SEPARATE_L2}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns a penalty that suits about 1,000 training examples."""
        return {"l2": DEFAULT_L2 if self.pairs_about(about) == "joined" else DEFAULT_SEPARATE_L2}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a task is not supported (there must be one feature vector per prediction), or None."""
        if isinstance(task.output, Classes | MultiLabel | Scalar | TokenClasses):
            return super().supports(backbone, task)
        return f"{self.name} reads one vector per example or word, but {type(task.output).__name__} needs more"

    def heads(self, jobs: Sequence[Job], samples: Sequence[Sample]) -> list[Linear]:
        """Returns one solved linear map per job, all solved together."""
        # Jobs that differ only in seed and see the same rows have the same optimum: solved once per penalty.
        penalties: dict[Sample, set[float]] = {}
        for job, sample in zip(jobs, samples, strict=True):
            job.train.meter.rows += len(job.train)
            penalties.setdefault(sample, set()).add(float(job.params["l2"]))
        solved = _solve_all(penalties, jobs[0].task.output)
        # By identity: `Sample` has eq=False, since comparing tensors with == gives a tensor.
        return [solved[sample][float(job.params["l2"])] for job, sample in zip(jobs, samples, strict=True)]


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
    (maps,) = _solve_all({sample: set(penalties)}, job.task.output).values()
    return [maps[penalty] for penalty in penalties]


def _solve_all(wanted: Mapping[Sample, set[float]], output: Output) -> dict[Sample, dict[float, Linear]]:
    from tlbench.training import Regression, solve_labels, solve_logistic, solve_ridge

    # Sorted so that penalties next to each other, which need about as many iterations, share a batch of the solver.
    penalties = {sample: sorted(values) for sample, values in wanted.items()}
    problems = [
        Regression(sample.features, sample.targets, values, sample.row_weights) for sample, values in penalties.items()
    ]
    if isinstance(output, Classes | TokenClasses):
        solved = solve_logistic(problems, len(output.names))
    elif isinstance(output, MultiLabel):
        solved = solve_labels(problems)
    else:
        solved = solve_ridge(problems)
    return {
        sample: {penalty: sample.in_units(one, output) for penalty, one in zip(values, maps, strict=True)}
        for (sample, values), maps in zip(penalties.items(), solved, strict=True)
    }
