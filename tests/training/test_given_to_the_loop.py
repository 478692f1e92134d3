"""Invalid losses, optimisers and groups, and predictors whose parameters were unfrozen during training."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tlbench.contracts.cell import Protocol
from tlbench.contracts.errors import PluginError, UsageError
from tlbench.contracts.fits.job import Job
from tlbench.modeling.precision import to_bf16_weights
from tlbench.modeling.weights import trained_weights
from tlbench.running.fitting.reusable_encoder import ReusableEncoder
from tlbench.testing.jobs import make_job
from tlbench.testing.toys import ToyBackbone, ToyFit, ToyTask
from tlbench.training import Model, ModelPredictor, Step, freeze, groups_of, layer_decayed, train

STEPS = 6


def _job() -> Job:
    protocol = Protocol(max_steps=STEPS, precision="fp32")
    job = make_job(ToyFit(), ToyBackbone(), ToyTask(), {"lr": 5e-3, "steps": 4}, protocol)
    return dataclasses.replace(job, encoder=ToyBackbone().load())


def _fit(job: Job | None = None, **given: Any) -> ModelPredictor:
    job = job or _job()
    return train(Model(job.encoder, job.head), job.train, job, **given)


LOSSES: dict[str, tuple[Callable[[Step], Any], str]] = {
    "vector": (lambda step: step.model(step.batch).square().sum(1), r"a tensor of shape \(16,\).*mean\(\)"),
    "of one": (lambda step: step.task_loss().reshape(1), r"a tensor of shape \(1,\).*mean\(\)"),
    "float": (lambda step: step.task_loss().item(), r"a float.*without item\(\)"),
    "None": (lambda step: None, "a NoneType"),
    "detached": (lambda step: step.task_loss().detach(), r"a tensor of shape \(\) without a gradient.*detach\(\)"),
}


@pytest.mark.parametrize("kind", LOSSES)
def test_a_loss_that_is_no_scalar_is_refused_by_name(kind: str) -> None:
    loss, message = LOSSES[kind]
    with pytest.raises(PluginError, match=rf"loss={__name__}\.<lambda> returned {message}"):
        _fit(loss=loss)


def test_a_heads_loss_that_is_no_scalar_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    job = _job()
    monkeypatch.setattr(job.head, "loss", lambda logits, targets: logits)
    with pytest.raises(PluginError, match=r"PooledHead\.loss returned a tensor of shape"):
        _fit(job)


class Stepless:
    param_groups: tuple[()] = ()

    def __init__(self, groups: object) -> None:
        pass


OPTIMIZERS: dict[str, tuple[Any, str]] = {
    "None": (lambda groups: None, "returned a NoneType, which has no step and no zero_grad and no param_groups"),
    "no step": (Stepless, "Stepless returned a Stepless, which has no step"),
    "closure": (
        lambda groups: torch.optim.LBFGS(groups[0]["params"]),
        r"returned a LBFGS, whose step\(\) needs closure",
    ),
    "groups": (torch.optim.LBFGS, "LBFGS raised ValueError: LBFGS doesn't support per-parameter options"),
    "made before": (torch.optim.SGD([torch.nn.Parameter(torch.ones(1))]), "SGD is an object that cannot be called"),
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_an_optimiser_that_cannot_be_stepped_is_refused_by_name(kind: str) -> None:
    optimizer, message = OPTIMIZERS[kind]
    with pytest.raises(PluginError, match=f"optimizer=.*{message}"):
        _fit(optimizer=optimizer)


def test_an_optimiser_without_a_rate_is_refused() -> None:
    def made(groups: Any) -> torch.optim.Optimizer:
        optimizer = torch.optim.SGD(groups)
        optimizer.param_groups[0]["lr"] = None
        return optimizer

    with pytest.raises(PluginError, match="a SGD with lr=None in a group"):
        _fit(optimizer=made)


@pytest.mark.parametrize("missing", ["params", "lr", "weight_decay"])
def test_a_group_that_lacks_a_part_is_refused(missing: str) -> None:
    job = _job()
    model = Model(job.encoder, job.head)
    groups = groups_of(model, 1e-3)
    del groups[1][missing]
    with pytest.raises(PluginError, match=rf"groups\[1\] has no {missing}"):
        train(model, job.train, job, groups)


@pytest.mark.parametrize("optimizer", [None, torch.optim.SGD])
def test_a_weight_in_two_groups_is_refused(optimizer: Any) -> None:
    job = _job()
    model = Model(job.encoder, job.head)
    groups = groups_of(model, 1e-3)
    groups.append({**groups[0], "params": groups[0]["params"][:1]})
    with pytest.raises(PluginError, match=r"groups\[2\] and groups\[0\] hold a weight of shape"):
        train(model, job.train, job, groups, optimizer=optimizer)


def test_a_weight_that_head_and_encoder_share_is_in_one_group_at_the_encoders_rate() -> None:
    job = _job()
    name, shared = next(job.encoder.stage_parameters(0, 1))
    job.head.register_parameter("shared", shared)
    model = Model(job.encoder, job.head)
    groups = layer_decayed(model, 1e-3, 0.5)
    rates = [group["lr"] for group in groups for weight in group["params"] if weight is shared]
    assert rates == [1e-3 * 0.5 ** len(job.encoder.stages)], name
    train(model, job.train, job, groups)


def test_a_weight_that_is_trainable_and_in_no_group_is_refused_at_once() -> None:
    job = _job()
    model = Model(job.encoder, job.head)
    with pytest.raises(PluginError, match=r"^encoder\.native\..* is in no group.*pass groups="):
        train(model, job.train, job, groups_of(model.head, 1e-3))


@pytest.mark.parametrize("optimizer", [None, torch.optim.SGD])
def test_what_is_unfrozen_after_a_step_must_be_in_a_group(optimizer: Any) -> None:
    job = _job()
    model = Model(job.encoder, job.head)
    freeze(model, len(job.encoder.stages) - 1)
    seen: list[int] = []

    def unfreeze(step: Step) -> None:
        seen.append(step.number)
        if step.number == 3:
            # The number of trainable parameters stays equal, so that counting them would not notice.
            model.head.linear.bias.requires_grad_(False)
            next(iter(job.encoder.native.parameters())).requires_grad_(True)

    with pytest.raises(PluginError, match="takes a gradient and is in no group"):
        train(model, job.train, job, after_step=unfreeze, optimizer=optimizer)
    assert seen == [1, 2, 3]


def test_what_is_unfrozen_below_the_start_is_refused() -> None:
    job = _job()
    whole = groups_of(Model(job.encoder, job.head), 1e-3)
    model = Model(job.encoder, job.head, start=2)

    def unfreeze(step: Step) -> None:
        step.model.requires_grad_(True)

    with pytest.raises(PluginError, match=r"belongs to stages\[:2\].*smaller start"):
        train(model, job.train, job, whole, after_step=unfreeze)


def test_a_group_that_is_added_on_the_way_is_trained() -> None:
    job = _job()
    model = Model(job.encoder, job.head, start=0)
    freeze(model, len(job.encoder.stages))
    before = [weight.detach().clone() for weight in job.encoder.parameters()]
    made: list[torch.optim.Optimizer] = []

    def sgd(groups: Any) -> torch.optim.Optimizer:
        made.append(torch.optim.SGD(groups))
        return made[0]

    def after_step(step: Step) -> None:
        if step.number == 2:
            weights = [weight.requires_grad_(True) for weight in job.encoder.parameters()]
            made[0].add_param_group({"params": weights, "lr": 0.1, "weight_decay": 0.0})

    train(model, job.train, job, after_step=after_step, optimizer=sgd)
    assert not all(torch.equal(a, b) for a, b in zip(job.encoder.parameters(), before, strict=True))


@pytest.mark.parametrize("precision", ["fp32", "bf16-weights"])
def test_what_is_changed_after_a_step_is_where_the_next_begins(precision: str) -> None:
    job = dataclasses.replace(_job(), precision=precision)
    if precision == "bf16-weights":
        to_bf16_weights(job.encoder)
    model = Model(job.encoder, job.head)
    matrices = [weight for weight in job.encoder.parameters() if weight.ndim == 2]
    largest: list[float] = []

    def prune(step: Step) -> None:
        with torch.no_grad():
            largest.append(max(float(weight[0].abs().max()) for weight in matrices))
            for weight in matrices:
                weight[0] = 0

    train(model, job.train, job, groups_of(model, 1e-5), after_step=prune)
    assert largest[0] > 0.1
    # A step at a learning rate of 1e-5 changes a weight of 0 by about as much.
    assert max(largest[1:]) < 1e-4


def _gradual(model: Model) -> Callable[[Step], None]:
    """Returns a hook that unfreezes the next lower stage after each step (Howard & Ruder 2018, arXiv:1801.06146)."""
    encoder, count = model.encoder, len(model.encoder.stages)

    def after_step(step: Step) -> None:
        for _, weight in encoder.stage_parameters(max(0, count - 1 - step.number)):
            weight.requires_grad_(True)

    freeze(model, count - 1)
    return after_step


def _chain_thaw(model: Model) -> Callable[[Step], None]:
    """Returns a hook that trains the head, then one stage at a time (Felbo et al. 2017, arXiv:1708.00524)."""
    encoder, count = model.encoder, len(model.encoder.stages)

    def after_step(step: Step) -> None:
        model.requires_grad_(False)
        for _, weight in encoder.stage_parameters((step.number - 1) % count, (step.number - 1) % count + 1):
            weight.requires_grad_(True)

    freeze(model, count)
    return after_step


@pytest.mark.parametrize("optimizer", [None, torch.optim.SGD])
@pytest.mark.parametrize("thaw", [_gradual, _chain_thaw])
@pytest.mark.parametrize("built", ["whole", "frozen"])
def test_an_unfrozen_predictor_predicts_the_same_after_loading(
    thaw: Callable[[Model], Callable[[Step], None]], built: str, optimizer: Any, tmp_path: Path
) -> None:
    job = _job()
    model = Model(job.encoder, job.head)
    groups, start = layer_decayed(model, 5e-2, 0.9), [w.detach().clone() for w in model.parameters()]
    predictor = train(model, job.train, job, groups, after_step=thaw(model), optimizer=optimizer)
    assert not any(torch.equal(a, b) for a, b in zip(model.parameters(), start, strict=True) if a.ndim == 2)
    predictor.save(tmp_path)
    assert predictor.trainable_parameters == sum(weight.numel() for weight in model.parameters())

    other = _job()
    fresh = Model(other.encoder, other.head)
    if built == "frozen":
        thaw(fresh)
    before = ModelPredictor(fresh).predict(other.validation).scores
    loaded = ModelPredictor.load(fresh, other, tmp_path)
    mine, theirs = (one.predict(other.validation).scores for one in (predictor, loaded))
    assert np.abs(mine - theirs).max() <= 1e-6
    assert np.abs(mine - before).max() > 1e-3
    assert loaded.trainable_parameters == predictor.trainable_parameters
    loaded.save(tmp_path / "again")
    again = _job()
    once_more = ModelPredictor.load(Model(again.encoder, again.head), again, tmp_path / "again")
    assert np.abs(once_more.predict(again.validation).scores - mine).max() <= 1e-6


def test_what_an_earlier_training_moved_is_saved_with_a_later_one(tmp_path: Path) -> None:
    """The encoder is trained with one model and frozen in the next, which trains its head alone."""
    job = _job()
    train(Model(job.encoder, job.new_head(job.encoder)), job.train, job)
    count = len(job.encoder.stages)
    predictor = train(Model(job.encoder, job.head, start=count), job.train, job)
    predictor.save(tmp_path)
    other = _job()
    loaded = ModelPredictor.load(Model(other.encoder, other.head, start=count), other, tmp_path)
    mine, theirs = (one.predict(other.validation).scores for one in (predictor, loaded))
    assert np.abs(mine - theirs).max() <= 1e-6
    assert predictor.trainable_parameters == sum(weight.numel() for weight in predictor.model.parameters())


def test_an_encoder_that_is_put_back_forgets_what_was_trained() -> None:
    reusable = ReusableEncoder(ToyBackbone().load)
    encoder = reusable.fresh()
    job = dataclasses.replace(_job(), encoder=encoder)
    _fit(job)
    assert trained_weights(encoder) == set(encoder.parameters())
    assert trained_weights(reusable.fresh()) == set()


def test_what_was_never_trained_is_not_saved(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    job = _job()
    train(Model(job.encoder, job.head, start=len(job.encoder.stages)), job.train, job).save(tmp_path)
    buffers = {name for name, _ in Model(job.encoder, job.head).named_buffers()}
    weights = load_file(tmp_path / "model.safetensors").keys() - buffers
    assert weights
    assert all(name.startswith("head.") for name in weights)


def test_a_predictor_that_lacks_what_is_trainable_is_refused(tmp_path: Path) -> None:
    job = _job()
    train(Model(job.encoder, job.head, start=len(job.encoder.stages)), job.train, job).save(tmp_path)
    other = _job()
    with pytest.raises(UsageError, match="has other weights"):
        ModelPredictor.load(Model(other.encoder, other.head), other, tmp_path)
