"""Schedules, dropout, mixup, augmentation and early stopping, each compared with its definition."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tlbench.contracts.cell import Protocol
from tlbench.contracts.errors import PluginError
from tlbench.contracts.fits.job import Job
from tlbench.contracts.task import Example, Examples
from tlbench.modeling.data import Data, one_row_each
from tlbench.testing.jobs import make_job
from tlbench.testing.toys import ToyBackbone, ToyFit, ToyTask
from tlbench.training import EarlyStopping, Model, Step, augmented, dropout, mixup, split_for_stopping, train
from tlbench.training.adamw import AdamW
from tlbench.training.recipe.schedules import rate


def test_a_schedule_follows_the_warm_up() -> None:
    linear, cosine, constant = (
        [rate(step, 10, 0.2, schedule) for step in range(10)] for schedule in ("linear", "cosine", "constant")
    )
    assert linear == pytest.approx([0.5, 1.0, *[left / 9 for left in (8, 7, 6, 5, 4, 3, 2, 1)]])
    assert cosine == pytest.approx(
        [0.5, 1.0, *[(1 - math.cos(math.pi * left / 9)) / 2 for left in (8, 7, 6, 5, 4, 3, 2, 1)]]
    )
    assert constant == [0.5] + [1.0] * 9
    assert linear == [rate(step, 10, 0.2) for step in range(10)]


def test_linear_and_cosine_end_near_nothing_and_constant_at_one() -> None:
    ends = {schedule: rate(99, 100, 0.1, schedule) for schedule in ("linear", "cosine", "constant")}
    assert ends["constant"] == 1.0
    assert 0 < ends["cosine"] < ends["linear"] < 0.02


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention_dropout = 0.1
        self.drop = nn.Dropout(0.3)


def test_dropout_is_set_within_the_block_and_restored_even_after_an_error() -> None:
    module = nn.Sequential(_Attention(), nn.Dropout2d(0.2))

    def probabilities() -> tuple[float, float, float]:
        return module[0].attention_dropout, module[0].drop.p, module[1].p

    def fail() -> None:
        with dropout(module, 0.5):
            assert probabilities() == (0.5, 0.5, 0.5)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert probabilities() == (0.1, 0.3, 0.2)
    with dropout(module, None):
        assert module[0].drop.p == 0.3


def _images(count: int = 64, side: int = 16) -> Data:
    rng = np.random.default_rng(0)
    rows = [rng.standard_normal((3, side, side)).astype(np.float32) for _ in range(count)]
    examples = Examples([Example(str(i), ("",), i % 2) for i in range(count)])
    collate = lambda rows: {"pixel_values": torch.from_numpy(np.stack(rows))}  # noqa: E731
    return one_row_each(examples, rows, collate, [1] * count, "images")


def test_augmented_images_are_flipped_and_shifted_anew_each_time() -> None:
    plain = _images()
    data = augmented(plain)
    torch.manual_seed(0)
    original = plain.batch(range(64))["pixel_values"]
    first, second = (data.batch(range(64))["pixel_values"] for _ in range(2))
    assert first.shape == original.shape
    assert not torch.equal(first, second)
    assert data.augmented
    assert data.fingerprint != plain.fingerprint
    # In the middle, where no border is mirrored, every image is one of its 25 shifts, flipped or not.
    flipped = 0
    for image, source in zip(first, original, strict=True):
        shifts = [(down, right) for down in range(-2, 3) for right in range(-2, 3)]
        centre = image[:, 4:12, 4:12]
        straight = any(torch.equal(centre, source[:, 4 + d : 12 + d, 4 + r : 12 + r]) for d, r in shifts)
        mirrored = any(torch.equal(centre.flip(-1), source[:, 4 + d : 12 + d, 4 + r : 12 + r]) for d, r in shifts)
        assert straight or mirrored
        flipped += mirrored and not straight
    assert 16 <= flipped <= 48


def test_rows_without_images_cannot_be_augmented() -> None:
    job = make_job(ToyFit(), ToyBackbone(), ToyTask())
    with pytest.raises(PluginError, match="no pixel_values"):
        augmented(job.train).batch([0])


def test_mixup_mixes_images_and_their_losses_with_one_weight() -> None:
    images = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 2, 2)
    targets = torch.arange(4)
    seen: list[tuple[Tensor, Tensor]] = []

    def loss(step: Step) -> Tensor:
        seen.append((step.batch["pixel_values"], step.targets))
        return step.targets.double().mean() * 0 + len(seen)

    step = Step(None, {"pixel_values": images, "other": 1}, targets, range(4), 1, 1)  # type: ignore[arg-type]
    torch.manual_seed(3)
    value = mixup(loss, 0.5)(step)
    (mixed, first), (same, second) = seen
    assert torch.equal(mixed, same)
    assert torch.equal(first, targets)
    assert sorted(second.tolist()) == [0, 1, 2, 3]
    # The loss of the first labels was 1 and that of the second 2, so that 2 - value is the weight of the first.
    lam = 2 - float(value)
    assert 0 < lam < 1
    expected = lam * images[first] + (1 - lam) * images[second]
    assert torch.allclose(mixed, expected, atol=1e-6)


def _job(**protocol: Any) -> Job:
    settings = Protocol(**{"max_steps": 200, "precision": "fp32", **protocol})
    job = make_job(ToyFit(), ToyBackbone(), ToyTask(train=128), {"lr": 1e-2, "steps": 4}, settings)
    return dataclasses.replace(job, encoder=ToyBackbone().load())


def test_early_stopping_ends_after_the_epochs_without_a_better_score_and_restores_the_best() -> None:
    job = _job()
    model = Model(job.encoder, job.head)
    rows, held_out = split_for_stopping(job)
    assert (len(rows), len(held_out)) == (115, 13)
    assert not set(rows.ids) & set(held_out.ids)
    assert not set(held_out.ids) & set(job.validation.ids)
    stopping = EarlyStopping(model, job, rows, held_out, batch_size=16, patience=3)
    scores = iter([0.5, 0.7, 0.6, 0.7, 0.1, 0.9])
    kept: list[dict[str, Tensor]] = []

    def score() -> float:
        kept.append({name: weight.detach().clone() for name, weight in model.named_parameters()})
        return next(scores)

    stopping._score = score  # type: ignore[method-assign]
    train(model, rows, job, after_step=stopping)
    # 115 rows are eight steps; the fifth score is the third without an improvement.
    assert job.notes["steps"] == 5 * 8
    assert job.train.meter.rows == 5 * 115
    assert stopping.best_step == 2 * 8
    stopping.restore()
    assert all(torch.equal(weight, kept[1][name]) for name, weight in model.named_parameters())


def test_the_score_of_early_stopping_is_of_the_held_out_rows() -> None:
    job = _job(max_steps=8)
    model = Model(job.encoder, job.head)
    rows, held_out = split_for_stopping(job)
    stopping = EarlyStopping(model, job, rows, held_out, batch_size=16, patience=1)
    predicted = stopping._predictor.predict(held_out).values
    assert stopping._score() == pytest.approx(float((predicted == held_out.targets).mean()))


def test_losses_of_a_fit_that_ended_early_are_of_its_own_steps() -> None:
    job, losses = _job(), []

    def stop(step: Step) -> bool:
        with torch.no_grad():
            losses.append(step.number)
        return step.number == 3

    train(Model(job.encoder, job.head), job.train, job, after_step=stop)
    assert job.notes["steps"] == 3 == losses[-1]
    assert 0.3 < job.notes["first_loss"] < 1.2
    assert 0.3 < job.notes["last_loss"] < 1.2


def test_too_few_examples_to_stop_on_are_told() -> None:
    job = make_job(ToyFit(), ToyBackbone(), ToyTask(train=2))
    with pytest.raises(PluginError, match="2 are too few"):
        split_for_stopping(job)


def test_adam_without_bias_correction_takes_the_uncorrected_moments() -> None:
    weight = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    optimizer = AdamW([{"params": [weight], "lr": 0.1, "weight_decay": 0.0}], 1e9, bias_correction=False)
    expected, mean, square = weight.detach().clone(), torch.zeros(2).double(), torch.zeros(2).double()
    for gradient in (torch.tensor([0.5, -1.0]).double(), torch.tensor([0.1, 2.0]).double()):
        weight.grad = gradient.clone()
        optimizer.step(1.0)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        expected -= 0.1 * mean / (square.sqrt() + 1e-8)
        assert torch.allclose(weight, expected, rtol=1e-6)


def test_smoothed_labels_are_torchs() -> None:
    job = _job()
    head = job.head
    logits, targets = torch.randn(6, 2), torch.tensor([0, 1, 0, 1, 1, 0])
    head.smooth_labels(0.2)  # type: ignore[union-attr]
    expected = nn.functional.cross_entropy(logits, targets, label_smoothing=0.2)
    assert float(head.loss(logits, targets)) == pytest.approx(float(expected))  # type: ignore[union-attr]
