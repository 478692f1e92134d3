"""The training loop: learning, determinism, reports, divergence and precision."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tlbench.contracts.cell import Protocol
from tlbench.contracts.errors import Diverged, Pruned
from tlbench.contracts.fits.job import Job
from tlbench.contracts.task import Task
from tlbench.modeling.activations.activation_cache import Activations
from tlbench.modeling.data import Batch
from tlbench.modeling.encoder import Encoder, Hidden
from tlbench.modeling.precision import to_bf16_weights
from tlbench.testing.agreement import FP32_EPS, assert_same_in_fp64
from tlbench.testing.jobs import make_job
from tlbench.testing.toy_kinds import ToyLabelsTask, ToySpanTask, ToyWordsTask
from tlbench.testing.toys import ToyBackbone, ToyFit, ToyScalarTask, ToyTask
from tlbench.training import Model, ModelPredictor, train
from tlbench.training.loop import CHECK_EVERY, step_count
from tlbench.training.recipe.schedules import rate


def _job(task: Task | None = None, *, lr: float = 5e-3, seed: int = 0, **protocol: object) -> Job:
    settings = Protocol(**{"max_steps": 12, "precision": "fp32", **protocol})  # type: ignore[arg-type]
    job = make_job(ToyFit(), ToyBackbone(), task or ToyTask(), {"lr": lr, "steps": 4}, settings, seed)
    # A fresh encoder, because the one in the job is restored after its fit.
    return dataclasses.replace(job, encoder=ToyBackbone().load())


def _exact(job: Job) -> Job:
    """Returns the job with encoder and head in fp64, to compare two ways of computing the same."""
    return dataclasses.replace(job, encoder=job.encoder.double(), head=job.head.double())  # type: ignore[union-attr]


def _weights(predictor: ModelPredictor) -> Tensor:
    return torch.cat([p.detach().reshape(-1) for p in predictor.model.parameters()])


def _fit(job: Job, start: int = 0) -> ModelPredictor:
    return train(Model(job.encoder, job.head, start=start), job.train, job)


@pytest.mark.parametrize("task", [ToyTask(), ToyScalarTask(), ToyLabelsTask(), ToyWordsTask(), ToySpanTask()])
def test_all_tensors_are_on_the_device_and_steps_do_not_wait_for_it(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    # torch's meta device holds no values, so reading one raises. It simulates a GPU for which the host must not wait.
    meta = torch.device("meta")
    monkeypatch.setitem(CHECK_EVERY, "meta", 100)
    job = make_job(ToyFit(), ToyBackbone(), task, {"lr": 1e-3, "steps": 4}, Protocol(max_steps=5, precision="fp32"))
    encoder = ToyBackbone().load().to(meta)
    job = dataclasses.replace(job, encoder=encoder, head=job.head.to(meta), train=job.train.metered())
    with pytest.raises(RuntimeError, match="cannot be called on meta tensors") as raised:
        _fit(job)
    assert job.train.meter.rows == 5 * 16, "every step was taken"
    assert "if not (finite and" in str(raised.traceback[-2].statement), "the first value is read after the last step"


@pytest.mark.parametrize("start", [0, 2])
def test_it_learns_classes(start: int) -> None:
    job = _job(ToyTask(train=256, validation=64), max_steps=200)
    before = job.score(ModelPredictor(Model(job.encoder, job.head)))
    predictor = _fit(job, start)
    assert job.score(predictor) > before + 0.1
    predictions = predictor.predict(job.train)
    assert predictions.ids == job.train.ids
    assert predictions.scores is not None
    # Two probabilities of at most 1, each with the rounding of an exponential, a sum and a quotient.
    assert np.abs(predictions.scores.sum(1) - 1).max() <= 2 * 3 * FP32_EPS


def test_it_learns_numbers_in_their_own_units() -> None:
    job = _job(ToyScalarTask(train=256), max_steps=120)
    values = _fit(job).predict(job.train).values
    assert abs(values - job.train.targets).mean() < 0.5


def test_predictions_are_in_the_order_of_the_rows() -> None:
    job = _exact(_job())
    predictor = _fit(job)
    with torch.no_grad():
        one_by_one = [predictor.model(job.train.batch([i])).softmax(-1) for i in range(len(job.train))]
    assert_same_in_fp64(torch.from_numpy(predictor.predict(job.train).scores), torch.cat(one_by_one))


@pytest.mark.parametrize("start", [0, 2])
def test_the_same_seed_gives_the_same_weights_bit_by_bit(start: int) -> None:
    first = _weights(_fit(_job(), start))
    torch.rand(7)
    assert torch.equal(_weights(_fit(_job(), start)), first)
    assert not torch.equal(_weights(_fit(_job(seed=1), start)), first)


def test_the_random_state_of_the_caller_is_restored() -> None:
    job = _job()
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    _fit(job)
    assert torch.equal(torch.rand(4), expected)


def test_a_frozen_prefix_is_computed_once_and_never_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    job = _job()
    prefix = {name: p.detach().clone() for name, p in job.encoder.stage_parameters(0, 2)}
    starts: list[int] = []
    forward = job.encoder.forward

    def counted(batch: Batch | Hidden, start: int = 0, stop: int | None = None) -> Hidden:
        starts.append(start)
        return forward(batch, start=start, stop=stop)

    monkeypatch.setattr(job.encoder, "forward", counted)
    predictor = _fit(job, start=2)
    assert starts.count(0) == 1, "64 short rows are one batch"
    assert starts.count(2) == 12
    assert all(torch.equal(p, prefix[name]) for name, p in job.encoder.stage_parameters(0, 2))
    assert predictor.trainable_parameters < sum(p.numel() for p in predictor.model.parameters())


def test_with_a_frozen_prefix_augmented_data_runs_through_everything() -> None:
    job = _exact(_job())
    augmented = dataclasses.replace(job.train, augmented=True)
    predictor = train(Model(job.encoder, job.head, start=2), augmented, job)
    assert_same_in_fp64(_weights(predictor), _weights(_fit(_exact(_job()), start=2)))
    assert predictor.predict(augmented).ids == job.train.ids


def test_all_stages_frozen_trains_the_head_alone() -> None:
    job = _job()
    predictor = _fit(job, start=len(job.encoder.stages))
    assert predictor.trainable_parameters == sum(p.numel() for p in job.head.parameters())


def test_the_protocol_sets_the_number_of_steps() -> None:
    for protocol, steps in [({"max_steps": 5}, 5), ({"max_steps": None, "epochs": 2.0}, 8), ({"max_steps": None}, 12)]:
        job = _job(**protocol)
        _fit(job)
        assert job.notes["steps"] == steps
        assert job.train.meter.rows == 16 * steps
    assert step_count(10, 16, None, 0.1) == 1


def test_the_learning_rate_rises_falls_and_is_never_0() -> None:
    rates = [rate(step, 100, 0.1) for step in range(100)]
    assert rates[9] == max(rates) == 1.0
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert min(rates) > 0
    assert [rate(step, 1, 0.1) for step in range(1)] == [1.0]
    assert rate(0, 100, 0.0) == 1.0


@pytest.mark.parametrize("lr", [1e30, math.inf])
def test_weights_that_explode_are_diverged(lr: float) -> None:
    with pytest.raises(Diverged):
        _fit(_job(lr=lr))


def test_a_loss_that_is_not_finite_is_diverged_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    job = _job()
    monkeypatch.setattr(job.head, "loss", lambda logits, targets: logits.sum() * math.nan)
    with pytest.raises(Diverged, match="by step 1 of 12"):
        _fit(job)


def test_a_prediction_that_is_not_finite_is_diverged() -> None:
    job = _job()
    predictor = ModelPredictor(Model(job.encoder, job.head))
    with torch.no_grad():
        job.head.linear.bias.fill_(math.nan)  # type: ignore[operator, union-attr]
    with pytest.raises(Diverged):
        predictor.predict(job.validation)


def test_it_reports_only_to_a_pruner_and_gives_the_same_weights() -> None:
    reported: list[tuple[int, float]] = []

    def note(step: int, score: float, loss: float, total: int) -> None:
        reported.append((step, score))

    quiet = _fit(dataclasses.replace(_job(), report=note))
    assert not reported
    watched = _fit(dataclasses.replace(_job(pruner="median"), report=note))
    assert [step for step, _ in reported] == [3, 6, 9]
    assert torch.equal(_weights(quiet), _weights(watched))


@pytest.mark.parametrize(("parts", "steps"), [((8,), [2]), ((8, 2, 1), [2, 6]), ((), [1, 2, 4])])
def test_a_fit_by_rungs_reports_after_the_parts_that_its_job_names(parts: tuple[int, ...], steps: list[int]) -> None:
    reported: list[int] = []

    def note(step: int, score: float, loss: float, total: int) -> None:
        reported.append(step)

    quiet = _fit(_job())
    watched = _fit(dataclasses.replace(_job(pruner="halving-rungs"), report=note, report_parts=parts))
    assert reported == steps
    assert torch.equal(_weights(quiet), _weights(watched))
    # A part of a fit that must not be stopped turns its reports off.
    _fit(dataclasses.replace(_job(), report=note, report_parts=parts))
    assert reported == steps


def test_a_pruned_fit_ends() -> None:
    def prune(step: int, score: float, loss: float, total: int) -> None:
        raise Pruned(f"at {step}")

    job = dataclasses.replace(_job(pruner="median"), report=prune)
    with pytest.raises(Pruned, match="at 3"):
        _fit(job)
    assert job.train.meter.rows == 48


def test_bf16_autocast_trains_fp32_weights() -> None:
    predictor = _fit(dataclasses.replace(_job(), precision="bf16-autocast"))
    assert _weights(predictor).dtype == torch.float32
    assert not torch.equal(_weights(predictor), _weights(_fit(_job())))


@pytest.mark.parametrize("start", [0, 2])
def test_it_learns_with_weights_in_bf16(start: int) -> None:
    job = _job(ToyTask(train=256, validation=64), max_steps=120)
    job = dataclasses.replace(job, precision="bf16-weights")
    to_bf16_weights(job.encoder)
    before = job.score(ModelPredictor(Model(job.encoder, job.head), job.precision))
    predictor = _fit(job, start)
    assert job.score(predictor) > before + 0.1
    dtypes = {weight.ndim: weight.dtype for weight in predictor.model.encoder.parameters()}
    assert dtypes == {1: torch.float32, 2: torch.bfloat16}


def test_a_prefix_that_does_not_fit_the_cache_gives_the_same_training() -> None:
    def trained(limit_bytes: int) -> Tensor:
        job = _exact(_job())
        native: Any = job.encoder.native
        native.drop, embed = torch.nn.Dropout(0.5), native.embed
        # As in GPT-2: a dropout without parameters, in a module that is trained.
        native.embed = lambda ids: native.drop(embed(ids))
        return _weights(_fit(dataclasses.replace(job, activations=Activations(limit_bytes)), start=2))

    assert_same_in_fp64(trained(100), trained(1 << 30))


def test_an_encoder_is_left_in_eval_mode_with_its_embeddings_dense() -> None:
    job = _job()
    encoder: Encoder = _fit(job).model.encoder
    assert not any(module.training for module in encoder.modules())
    assert not any(m.sparse for m in encoder.modules() if isinstance(m, torch.nn.Embedding))


@pytest.mark.parametrize("start", [0, 2])
def test_the_share_of_padding_is_recorded(start: int) -> None:
    job = _job()
    assert len(set(job.train.lengths.tolist())) > 1, "the rows should differ in length"
    train(Model(job.encoder, job.head, start=start), job.train, job, batch_size=7)
    assert 0 < job.notes["padding_share"] < 0.5
    assert 0 < job.notes["validation_padding_share"] < 0.9
