"""A linear map on what a frozen encoder puts out, in closed form or by a convex solver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tlbench import (
    About,
    Backbone,
    Classes,
    Float,
    Job,
    MultiLabel,
    Output,
    Scalar,
    Space,
    Task,
    TokenClasses,
    Value,
)
from tlbench_finetune.features import FeatureStrategy, Sample, sample_of

if TYPE_CHECKING:
    from tlbench.training import Linear

L2 = Float(1e-5, 10.0, log=True)
"""Beside a mean loss on standardised features: for 1,000 examples, C from 100 to 0.0001 in scikit-learn's terms."""
DEFAULT_L2 = 0.1


@dataclass(frozen=True)
class LinearProbe(FeatureStrategy):
    """Logistic or ridge regression on standardised features of the frozen encoder; no weight of it moves.

    Labels that do not exclude each other have a regression each. Of words, the features are those of their first
    sub-word. All `l2` of all seeds are solved in one pass over features that are computed once.
    """

    name: ClassVar[str] = "linear-probe"
    paper: ClassVar[str] = "Alain & Bengio 2016, arXiv:1610.01644; Kornblith et al. 2019, arXiv:1805.08974"
    batch_size: ClassVar[int] = 64

    def space(self, about: About) -> Space:
        """Returns the penalty on the weights."""
        return {"l2": L2}

    def defaults(self, about: About) -> dict[str, Value]:
        """Returns a penalty that suits about 1,000 examples."""
        return {"l2": DEFAULT_L2}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why not: there must be one vector for each answer."""
        if isinstance(task.output, Classes | MultiLabel | Scalar | TokenClasses):
            return None
        return f"a linear probe reads one vector an example or a word; {type(task.output).__name__} needs more"

    def heads(self, jobs: Sequence[Job], samples: Sequence[Sample]) -> list[Linear]:
        """Returns a linear map for each setting and seed, all solved at once."""
        wanted: dict[Sample, set[float]] = {}
        for job, sample in zip(jobs, samples, strict=True):
            job.train.meter.rows += len(job.train)
            wanted.setdefault(sample, set()).add(float(job.params["l2"]))
        solved = _solve_all(wanted, jobs[0].task.output)
        return [solved[sample][float(job.params["l2"])] for job, sample in zip(jobs, samples, strict=True)]


def solve(job: Job, penalties: Sequence[float]) -> list[Linear]:
    """Returns a linear map of the job's features to logits, or to real numbers, for each penalty.

    Raises:
        Diverged: A feature is not finite.
        PluginError: There are no features for this output.
    """
    sample = sample_of(job)
    (maps,) = _solve_all({sample: set(penalties)}, job.task.output).values()
    return [maps[penalty] for penalty in penalties]


def _solve_all(wanted: Mapping[Sample, set[float]], output: Output) -> dict[Sample, dict[float, Linear]]:
    from tlbench.training import Regression, solve_labels, solve_logistic, solve_ridge

    # like penalties converge together, whatever the sample
    penalties = {sample: sorted(values) for sample, values in wanted.items()}
    problems = [Regression(sample.features, sample.targets, values) for sample, values in penalties.items()]
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
