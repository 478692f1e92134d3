"""The option `layers` of the linear probe: heads on all stages of the frozen encoder, mixed or chosen among."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING

from tlbench import FitEnded, Job, Output, PluginError, Scalar, TokenClasses
from tlbench_finetune.probes.features import predictor
from tlbench_finetune.probes.pair_features import Pairs
from tlbench_finetune.probes.regressions import solve_all
from tlbench_finetune.probes.samples import Sample

if TYPE_CHECKING:
    from tlbench.modeling.encoder import Encoder
    from tlbench.training import Linear


def reading_every_stage(jobs: Sequence[Job]) -> list[Job]:
    """Returns the jobs with views of their encoders that put out all stages; an encoder of one stage stays as it is."""
    from tlbench.modeling.data import to_device
    from tlbench.modeling.stages.every_stage import EveryStage

    views: dict[int, Encoder] = {}
    for job in jobs:
        if id(job.encoder) not in views and len(job.encoder.stages) > 1:
            shortest = to_device(job.train.batch([int(job.train.lengths.argmin())]), job.device)
            view = EveryStage(job.encoder, shortest, tokens=isinstance(job.task.output, TokenClasses))
            views[id(job.encoder)] = view
    return [job_on(job, views[id(job.encoder)]) if id(job.encoder) in views else job for job in jobs]


def mixed(
    wanted: Mapping[Sample, set[float]], widths: Sequence[int], output: Output
) -> dict[Sample, dict[float, tuple[Linear, list[float]]]]:
    """Returns for each sample and penalty a linear map on a scalar mix of the stages, and the stages' weights.

    The weights are learned together with a head, which is then solved to convergence on the mixture.

    Args:
        wanted: The penalties of each sample, whose features are those of all stages, side by side.
        widths: The number of features of each stage.
        output: The task's output.

    Raises:
        PluginError: The stages differ in width.
    """
    from tlbench.training import Scale, scalar_mixes

    if len({*widths}) > 1:
        raise PluginError(
            f"layers=mix adds the stages up, but those of this backbone have {min(widths)} to {max(widths)} features: "
            "use layers=best"
        )
    outputs = 1 if isinstance(output, Scalar) else len(output.classes)
    found: dict[Sample, dict[float, tuple[Linear, list[float]]]] = {}
    for sample, penalties in wanted.items():
        scale, values = Scale.of(sample.features), sorted(penalties)
        stages = scale.standardise(sample.features).to(scale.dtype).unflatten(1, (len(widths), -1)).movedim(1, 0)
        shares = scalar_mixes(stages.contiguous(), sample.targets, outputs, values, sample.row_weights)
        found[sample] = {}
        for penalty, share in zip(values, shares, strict=True):
            mixture = replace(sample, features=(share @ stages.flatten(1)).view(stages.shape[1:]))
            one = solve_all({mixture: {penalty}}, output)[mixture][penalty]
            head = scale.on_raw_features((one.weight[:, None] * share[:, None]).flatten(1), one.bias)
            found[sample][penalty] = replace(head, trained=one.parameters + len(widths)), share.tolist()
    return found


def of_each_stage(
    wanted: Mapping[Sample, set[float]], widths: Sequence[int], output: Output
) -> dict[Sample, dict[float, list[Linear]]]:
    """Returns for each sample and penalty one linear map per stage, which is zero on the features of other stages.

    The arguments are those of `mixed`.
    """
    parts = {
        sample: [replace(sample, features=part) for part in sample.features.split(list(widths), dim=1)]
        for sample in wanted
    }
    solved = solve_all({part: wanted[sample] for sample in wanted for part in parts[sample]}, output)
    return {
        sample: {
            penalty: [
                _placed(solved[part][penalty], end, sum(widths))
                for part, end in zip(parts[sample], accumulate(widths), strict=True)
            ]
            for penalty in penalties
        }
        for sample, penalties in wanted.items()
    }


def best(job: Job, heads: Sequence[Linear], pairs: Pairs) -> Linear:
    """Returns the head with the best score on the validation split, the lowest of several, and notes all scores.

    A final fit without a validation split takes the stage with the best score in the search.
    """
    names = [f"stage_{stage}" for stage in range(len(heads))]
    worst = -math.inf if job.metric.greater_is_better else math.inf
    if job.held_out is None:
        scores = [job.searched.get(name, worst) for name in names]
    else:
        scores = [_score(job, head, pairs, worst) for head in heads]
    stage = scores.index(max(scores) if job.metric.greater_is_better else min(scores))
    job.notes.update({"stage": stage, **dict(zip(names, scores, strict=True))})
    return heads[stage]


def job_on(job: Job, encoder: Encoder) -> Job:
    """Returns the job with another encoder and a new head for it."""
    return replace(job, encoder=encoder, head=job.new_head(encoder))


def _score(job: Job, head: Linear, pairs: Pairs, worst: float) -> float:
    try:
        found = predictor(job, head, pairs)
        return worst if isinstance(found, FitEnded) else job.score(found)
    # A stage without finite predictions must not end the fit, nor other fits of the pass.
    except FitEnded:
        return worst


def _placed(one: Linear, end: int, width: int) -> Linear:
    """Returns the map with zeros for features before and after its own, which end at `end`."""
    import torch

    own = one.weight.shape[1]
    return replace(one, weight=torch.nn.functional.pad(one.weight, (end - own, width - end)), trained=one.parameters)
