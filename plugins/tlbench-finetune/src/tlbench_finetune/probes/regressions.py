"""The regressions of a probe: all penalties of all training subsets, solved together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tlbench import Classes, MultiLabel, Output, TokenClasses
from tlbench_finetune.probes.samples import Sample

if TYPE_CHECKING:
    from tlbench.training import Linear


def solve_all(wanted: Mapping[Sample, set[float]], output: Output) -> dict[Sample, dict[float, Linear]]:
    """Returns for each sample and penalty a linear map from features to logits, or to numbers in task units."""
    from tlbench.training import Regression, solve_labels, solve_logistic, solve_ridge

    # Sorted so that penalties next to each other, which need about as many iterations, share a batch of the solver.
    penalties = {sample: sorted(values) for sample, values in wanted.items()}
    problems = [
        Regression(sample.features, sample.targets, values, sample.row_weights, sample.components, sample.whitens)
        for sample, values in penalties.items()
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
