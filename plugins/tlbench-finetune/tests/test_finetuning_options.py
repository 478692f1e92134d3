"""The options that all fine-tuning strategies share: what they apply to, and that they change a fit."""

from __future__ import annotations

import math

import pytest
import torch
from tlbench_finetune.finetuning.whole import FullFinetune

from tlbench import Protocol, Strategy, UsageError
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.jobs import toy_job, weights_of
from tlbench.testing.toys import ToyBackbone, ToyScalarTask, ToyTask

PROTOCOL = Protocol(max_steps=12, precision="fp32")


class TestWholeRecipe(StrategyConformance):
    """Every option for texts at once."""

    strategy = FullFinetune(
        lr_scheduler_type="cosine",
        bias_correction=False,
        dropout=0.3,
        early_stopping_patience=1,
    )
    protocol = Protocol(max_steps=10, precision="fp32")


def _image_task() -> ToyTask:
    task = ToyTask()
    object.__setattr__(task, "modality", "image")
    return task


@pytest.mark.parametrize(
    ("strategy", "task", "reason"),
    [
        (FullFinetune(label_smoothing_factor=0.1), ToyTask(), None),
        (FullFinetune(label_smoothing_factor=0.1), ToyScalarTask(), "label_smoothing_factor needs one class"),
        (FullFinetune(mixup_alpha=0.2), ToyTask(), "not images"),
        (FullFinetune(mixup_alpha=0.2), ToyScalarTask(), "no labels to mix"),
        (FullFinetune(augmentation="flip-shift"), ToyTask(), "augmentation changes images"),
        (FullFinetune(augmentation="flip-shift", mixup_alpha=0.2), _image_task(), None),
    ],
)
def test_an_option_that_does_not_apply_is_told(strategy: Strategy, task: ToyTask, reason: str | None) -> None:
    found = strategy.supports(ToyBackbone(), task)
    assert (found is None) == (reason is None)
    assert reason is None or reason in (found or "")


@pytest.mark.parametrize(
    "options",
    [
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"label_smoothing_factor": 1.0},
        {"mixup_alpha": -1.0},
        {"mixup_alpha": math.inf},
        {"early_stopping_patience": 0},
    ],
)
def test_an_impossible_option_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        FullFinetune(**options)  # type: ignore[arg-type]


def test_each_option_changes_the_fit_and_none_of_them_changes_the_next() -> None:
    def weights(strategy: Strategy) -> torch.Tensor:
        job = toy_job(strategy)
        strategy.fit(job)
        return torch.cat([weight.flatten() for weight in weights_of(job.encoder).values()])

    plain = weights(FullFinetune())
    options: list[dict[str, object]] = [
        {"lr_scheduler_type": "cosine"},
        {"lr_scheduler_type": "constant"},
        {"bias_correction": False},
        {"dropout": 0.5},
        {"label_smoothing_factor": 0.2},
        {"early_stopping_patience": 1},
    ]
    for one in options:
        assert not torch.equal(weights(FullFinetune(**one)), plain), one  # type: ignore[arg-type]
    assert torch.equal(weights(FullFinetune()), plain)
