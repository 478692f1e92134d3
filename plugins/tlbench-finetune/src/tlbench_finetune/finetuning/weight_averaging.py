"""Full fine-tuning whose weights are averaged: over the steps of one fit, or over several fits."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec

from tlbench import Float, Job, Predictor, Space, SpaceContext, UsageError, Value
from tlbench_finetune.finetuning.base_classes import Finetuning

if TYPE_CHECKING:
    from torch import Tensor

    from tlbench.training import Model, ModelPredictor, Step, Training

    Weights = dict[str, Tensor]

SPREAD = 4.0
"""The learning rates of a soup's members lie between lr / SPREAD and lr * SPREAD, at equal ratios."""


@dataclass(frozen=True)
class WeightAveraging(Finetuning):
    """Full fine-tuning that predicts with averaged weights.

    `kind=ema` keeps an exponential moving average over the steps of one fit. The soups fine-tune `models` copies, each
    with another learning rate and another order of the examples, and average their weights: all of them, or greedily
    those that raise the validation score. A soup therefore takes `models` times as long.
    """

    name: ClassVar[str] = "weight-averaging"
    paper: ClassVar[str] = "Wortsman et al. 2022, arXiv:2203.05482; Tarvainen & Valpola 2017, arXiv:1703.01780"
    kind: Literal["ema", "uniform-soup", "greedy-soup"] = "ema"
    models: int = 4
    """Number of fine-tuned copies in a soup."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.models < 2:
            raise UsageError(f"{self.name}[models={self.models}]: a soup averages at least 2 models")

    @property
    def reports_scores(self) -> bool:
        """Whether a fit reports scores: those of a member of a soup would not be of one fit."""
        return self.kind == "ema"

    def space(self, about: SpaceContext) -> Space:
        """Returns the learning rates of full fine-tuning and, for the moving average, its decay per step."""
        return {**super().space(about), **({"decay": Float(0.9, 0.999)} if self.kind == "ema" else {})}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns the default learning rate, and a decay that suits fits of a few hundred steps."""
        return {**super().defaults(about), **({"decay": 0.98} if self.kind == "ema" else {})}

    def averaged(self, model: Model, job: Job, train: Training) -> ModelPredictor:
        """Returns the model with averaged weights."""
        return self._moving_average(model, job, train) if self.kind == "ema" else self._soup(model, job, train)

    def _moving_average(self, model: Model, job: Job, train: Training) -> ModelPredictor:
        decay = float(job.params["decay"])
        average: Weights = {}

        def after_step(step: Step) -> None:
            for name, weight in step.model.named_parameters():
                # The first steps would otherwise weigh as much as all later ones.
                kept = min(decay, step.number / (step.number + 9))
                mean = average.setdefault(name, weight.detach().clone())
                mean.lerp_(weight.detach(), 1 - kept)

        predictor = train(job, after_step)
        _copy_into(model, average)
        return predictor

    def _soup(self, model: Model, job: Job, train: Training) -> ModelPredictor:
        start = _copied(model)
        members: list[Weights] = []
        scores: list[float] = []
        for number in range(self.models):
            _copy_into(model, start)
            predictor = train(_member(job, number, self.models))
            members.append(_copied(model))
            if job.held_out is not None:
                scores.append(job.score(predictor))
        chosen = list(range(self.models))
        if self.kind == "greedy-soup" and scores:
            chosen = _greedy(job, predictor, model, members, scores)
        elif self.kind == "greedy-soup":
            # A fit on train and validation together takes the members that the search chose.
            chosen = [number for number in chosen if job.searched.get(f"member_{number}", 1.0) >= 0.5]
        _copy_into(model, _mean([members[number] for number in chosen]))
        job.notes.update({f"member_{number}": float(number in chosen) for number in range(self.models)})
        return predictor


def _member(job: Job, number: int, count: int) -> Job:
    """Returns the job of one member of a soup: another learning rate and another order of the examples."""
    lr = float(job.params["lr"]) * SPREAD ** (2 * number / (count - 1) - 1)
    # Reports would not be of one fit, so a pruner cannot stop a member.
    protocol = msgspec.structs.replace(job.protocol, pruner="none")
    return dataclasses.replace(job, params={**job.params, "lr": lr}, seed=job.seed * count + number, protocol=protocol)


def _greedy(
    job: Job, predictor: Predictor, model: Model, members: Sequence[Weights], scores: Sequence[float]
) -> list[int]:
    """Returns the members of the soup: the best one, and each that does not lower the validation score, best first."""
    sign = 1 if job.metric.greater_is_better else -1
    ranked = sorted(range(len(members)), key=lambda number: -sign * scores[number])
    chosen, best = ranked[:1], scores[ranked[0]]
    for number in ranked[1:]:
        _copy_into(model, _mean([members[one] for one in (*chosen, number)]))
        score = job.score(predictor)
        if sign * score >= sign * best:
            chosen, best = [*chosen, number], score
    return chosen


def _copied(model: Model) -> Weights:
    """Returns copies of the parameters and of the buffers of real numbers, such as running means."""
    tensors = [*model.named_parameters(), *model.named_buffers()]
    return {name: tensor.detach().clone() for name, tensor in tensors if tensor.is_floating_point()}


def _copy_into(model: Model, weights: Weights) -> None:
    import torch

    with torch.no_grad():
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if name in weights:
                tensor.copy_(weights[name])


def _mean(members: Sequence[Weights]) -> Weights:
    import torch

    return {name: torch.stack([one[name] for one in members]).mean(0) for name in members[0]}
