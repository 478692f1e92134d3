"""Published methods as a loss, a hook after each step, or an optimiser: none of them needs a loop of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tlbench.contracts.cell import Protocol
from tlbench.contracts.errors import Diverged, PluginError
from tlbench.contracts.fits.job import Job
from tlbench.testing.agreement import assert_same_in_fp64
from tlbench.testing.jobs import make_job
from tlbench.testing.toys import ToyBackbone, ToyFit, ToyTask
from tlbench.training import Model, ModelPredictor, Step, freeze, groups_of, layer_decayed, train, train_batches

STEPS = 12


def _job(*, lr: float = 5e-3, **protocol: object) -> Job:
    settings = Protocol(**{"max_steps": STEPS, "precision": "fp32", **protocol})  # type: ignore[arg-type]
    job = make_job(ToyFit(), ToyBackbone(), ToyTask(unlabeled=32), {"lr": lr, "steps": 4}, settings)
    return dataclasses.replace(job, encoder=ToyBackbone().load())


def _fit(job: Job | None = None, start: int = 0, **given: Any) -> ModelPredictor:
    job = job or _job()
    return train(Model(job.encoder, job.head, start=start), job.train, job, **given)


def _weights(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def _flat(model: torch.nn.Module) -> Tensor:
    return torch.cat([weight.flatten() for weight in _weights(model).values()])


def _distance(model: torch.nn.Module, start: dict[str, Tensor]) -> float:
    return sum((weight - start[name]).square().sum().item() for name, weight in _weights(model).items()) ** 0.5


@pytest.mark.parametrize("start", [0, 2])
def test_the_heads_own_loss_and_nothing_after_a_step_give_the_same_bits(start: int) -> None:
    seen: list[Step] = []
    watched = _fit(start=start, loss=Step.task_loss, after_step=seen.append)
    assert torch.equal(_flat(watched.model), _flat(_fit(start=start).model))
    assert [step.number for step in seen] == list(range(1, STEPS + 1))
    assert {step.total for step in seen} == {STEPS}
    job = _job()
    assert all(torch.equal(step.targets, torch.as_tensor(job.train.targets[list(step.rows)])) for step in seen)


def l2_sp(model: Model, strength: float) -> Callable[[Step], Tensor]:
    """Returns the L2-SP loss of Li et al. 2018, arXiv:1802.01483: a penalty on the distance from the start."""
    start = _weights(model.encoder)

    def loss(step: Step) -> Tensor:
        moved = [(weight - start[name]).square().sum() for name, weight in step.model.encoder.named_parameters()]
        return step.task_loss() + strength / 2 * torch.stack(moved).sum()

    return loss


def test_l2_sp_with_a_large_weight_stays_where_it_began() -> None:
    distances = []
    for strength in (0.0, 200.0):
        job = _job()
        model = Model(job.encoder, job.head)
        start = _weights(model.encoder)
        loss = l2_sp(model, strength)
        train(model, job.train, job, loss=loss, optimizer=torch.optim.SGD, max_grad_norm=1e9, weight_decay=0.0)
        distances.append(_distance(model.encoder, start))
    # At a learning rate of 1 / 200 the penalty undoes the previous step, so that one step remains of about 6.5.
    assert 0 < distances[1] < distances[0] / 4


def test_a_penalty_of_nothing_changes_nothing() -> None:
    job = _job()
    model = Model(job.encoder, job.head)
    train(model, job.train, job, loss=l2_sp(model, 0.0))
    assert torch.equal(_flat(model), _flat(_fit().model))


def r_drop(step: Step) -> Tensor:
    """Returns the R-Drop loss of Liang et al. 2021, arXiv:2106.14448: two passes with different dropout agree."""
    first, second = step.model(step.batch), step.model(step.batch)
    losses = [step.model.head.loss(logits, step.targets) for logits in (first, second)]
    one, other = first.log_softmax(-1), second.log_softmax(-1)
    apart = functional.kl_div(one, other, log_target=True, reduction="batchmean")
    apart = apart + functional.kl_div(other, one, log_target=True, reduction="batchmean")
    return (losses[0] + losses[1]) / 2 + apart / 2


def test_r_drop_passes_twice_and_with_another_dropout() -> None:
    passes: list[Tensor] = []

    def watched(step: Step) -> Tensor:
        forward = step.model.forward

        def noted(batch: Any) -> Tensor:
            passes.append(forward(batch))
            return passes[-1]

        step.model.forward = noted  # type: ignore[method-assign]
        try:
            return r_drop(step)
        finally:
            step.model.forward = forward  # type: ignore[method-assign]

    predictor = _fit(loss=watched)
    assert len(passes) == 2 * STEPS
    assert not any(torch.equal(one, other) for one, other in zip(passes[::2], passes[1::2], strict=True))
    assert not torch.equal(_flat(predictor.model), _flat(_fit().model))


def distilled(teacher: Model, temperature: float) -> Callable[[Step], Tensor]:
    """Returns the distillation loss of Hinton et al. 2015, arXiv:1503.02531, without the labels."""

    def loss(step: Step) -> Tensor:
        with torch.no_grad():
            teacher_logits = (teacher(step.batch) / temperature).log_softmax(-1)
        mine = (step.model(step.batch) / temperature).log_softmax(-1)
        return temperature**2 * functional.kl_div(mine, teacher_logits, log_target=True, reduction="batchmean")

    return loss


def test_a_student_predicts_like_its_teacher() -> None:
    teacher = _fit(_job(max_steps=100)).model

    def agreement(predictor: ModelPredictor) -> float:
        mine, theirs = (model.predict(_job().train).scores for model in (predictor, ModelPredictor(teacher)))
        return float(abs(mine - theirs).mean())

    student = _job(max_steps=100)
    before = agreement(ModelPredictor(Model(student.encoder, student.head)))
    assert agreement(_fit(student, loss=distilled(teacher, 2.0))) < before / 3


def test_rows_index_the_stored_predictions_of_a_teacher() -> None:
    """A teacher's predictions can be computed once, because each batch names its rows."""
    teacher, job = _fit(_job(max_steps=30)).model, _job()
    with torch.no_grad():
        stored_logits = teacher(job.train.batch(range(len(job.train))))

    def check(step: Step) -> Tensor:
        with torch.no_grad():
            mine = teacher(step.batch)
        assert torch.allclose(mine, stored_logits[list(step.rows)], atol=1e-5)
        return step.task_loss()

    _fit(job, loss=check)


class Averaged:
    """Keeps the exponential moving average of the weights (Polyak & Juditsky 1992; Tarvainen & Valpola 2017)."""

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.weights: dict[str, Tensor] = {}

    def __call__(self, step: Step) -> None:
        for name, weight in step.model.named_parameters():
            mean = self.weights.setdefault(name, weight.detach().clone())
            mean.lerp_(weight.detach(), 1 - self.decay)


def test_an_average_of_the_weights_is_the_average_of_the_weights() -> None:
    def exact() -> Job:
        job = _job()
        return dataclasses.replace(job, encoder=job.encoder.double(), head=job.head.double())  # type: ignore[union-attr]

    average, history = Averaged(0.9), []
    predictor = _fit(exact(), after_step=average)
    _fit(exact(), after_step=lambda step: history.append(_flat(step.model)))
    by_hand = history[0]
    for weights in history[1:]:
        by_hand = 0.9 * by_hand + 0.1 * weights
    assert len(history) == STEPS
    assert_same_in_fp64(torch.cat([weight.flatten() for weight in average.weights.values()]), by_hand)
    assert torch.equal(_flat(predictor.model), history[-1]), "what is trained is not the average"


def unfreezing(every: int) -> Callable[[Step], None]:
    """Returns a hook that unfreezes the next lower stage every so many steps (Howard & Ruder 2018)."""

    def after_step(step: Step) -> None:
        encoder = step.model.encoder
        start = len(encoder.stages) - 1 - step.number // every
        for _, weight in encoder.stage_parameters(max(start, 0)):
            weight.requires_grad_(True)

    return after_step


def test_a_stage_that_is_not_unfrozen_yet_keeps_its_bits_and_rests() -> None:
    job = _job()
    model, every = Model(job.encoder, job.head), 3
    groups = layer_decayed(model, 5e-3, 0.9)
    freeze(model, len(job.encoder.stages) - 1)
    start, count = _weights(model.encoder.native), len(job.encoder.stages)
    unfreeze, moved, training = unfreezing(every), [], []

    def after_step(step: Step) -> None:
        now = dict(step.model.encoder.native.named_parameters())
        moved.append([any(not torch.equal(now[n], start[n]) for n in stage.parameters) for stage in job.encoder.stages])
        training.append([block.training for block in step.model.encoder.native.blocks])
        unfreeze(step)

    predictor = train(model, job.train, job, groups, after_step=after_step)
    for number, stages in enumerate(moved):
        first = count - 1 - number // every
        assert stages == [stage >= first for stage in range(count)], f"step {number + 1}"
        assert training[number] == [stage >= first for stage in range(1, count)], f"step {number + 1}"
    assert moved[-1][0], "in the end everything was trained"
    assert predictor.trainable_parameters == sum(weight.numel() for weight in model.parameters())


@pytest.mark.parametrize("start", [0, 2])
def test_sgd_equals_torch(start: int) -> None:
    def exact() -> Job:
        job = _job()
        return dataclasses.replace(job, encoder=job.encoder.double(), head=job.head.double())  # type: ignore[union-attr]

    mine = _fit(exact(), start, optimizer=lambda groups: torch.optim.SGD(groups, momentum=0.9), max_grad_norm=0.5)
    job = exact()
    model = Model(job.encoder, job.head, start=start)
    optimizer = torch.optim.SGD(groups_of(model, 5e-3), momentum=0.9)
    rates = [group["lr"] for group in optimizer.param_groups]
    targets, rows = job.head.targets(job.train), job.train
    if start:
        rows = job.activations.hidden(job.encoder, rows, start)
    with torch.random.fork_rng():
        torch.manual_seed(job.seed)
        model.train()
        for number, indices in zip(range(STEPS), train_batches(rows.lengths, 16, job.seed), strict=False):
            optimizer.zero_grad()
            job.head.loss(model(rows.batch(indices)), targets[indices]).backward()
            grads = [weight.grad for weight in model.parameters() if weight.grad is not None]
            length = torch.cat([grad.flatten() for grad in grads]).norm()
            for grad in grads:
                grad.mul_(min(1.0, 0.5 / float(length)))
            # one step of twelve is the warm-up; then it falls to nothing
            for group, lr in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = lr * (1.0 if number == 0 else (STEPS - number) / STEPS)
            optimizer.step()
    assert_same_in_fp64(_flat(mine.model), _flat(model))
    assert not any(weight.grad is not None for weight in mine.model.parameters())


def test_torchs_adamw_is_the_packages_own() -> None:
    def trained(**given: Any) -> Tensor:
        job = _job()
        job = dataclasses.replace(job, encoder=job.encoder.double(), head=job.head.double())  # type: ignore[union-attr]
        return _flat(_fit(job, **given).model)

    assert_same_in_fp64(trained(optimizer=torch.optim.AdamW), trained())


@pytest.mark.parametrize("optimizer", [None, torch.optim.SGD])
def test_gradients_are_there_after_a_step_and_gone_before_the_next(optimizer: Any) -> None:
    """AdaLoRA ranks its singular values by their gradients."""
    lengths: list[float] = []

    def after_step(step: Step) -> None:
        grads = [weight.grad for weight in step.model.parameters() if weight.grad is not None]
        lengths.append(float(torch.stack([grad.norm() for grad in grads]).norm()))

    def loss(step: Step) -> Tensor:
        assert all(weight.grad is None for weight in step.model.parameters())
        return step.task_loss()

    _fit(after_step=after_step, loss=loss, optimizer=optimizer)
    assert len(lengths) == STEPS
    assert min(lengths) > 0


def test_a_custom_loss_or_optimiser_that_diverges_is_diverged() -> None:
    with pytest.raises(Diverged, match="by step 1 of"):
        _fit(loss=lambda step: step.task_loss() * float("nan"))
    with pytest.raises(Diverged):
        _fit(_job(lr=float("inf")), optimizer=torch.optim.SGD)


def test_a_model_with_nothing_to_train_is_refused_before_the_optimiser_is_built() -> None:
    job = _job()
    model = Model(job.encoder, torch.nn.Identity(), start=len(job.encoder.stages))  # type: ignore[arg-type]
    model.head.targets, model.head.prepare = job.head.targets, job.head.prepare
    with pytest.raises(PluginError, match="nothing is left to train"):
        train(model, job.train, job, optimizer=lambda groups: pytest.fail("made"))


def test_unlabelled_rows_take_part_in_a_loss() -> None:
    """FixMatch (Sohn et al. 2020, arXiv:2001.07685): confident predictions are labels for the altered row."""
    job = _job(max_steps=6)
    unlabeled = job.unlabeled()
    assert unlabeled is not None
    batches, certain = train_batches(unlabeled.lengths, 16, job.seed), []

    def loss(step: Step) -> Tensor:
        batch = unlabeled.serve(next(batches))
        logits = step.model(batch)
        probability, label = logits.detach().softmax(-1).max(-1)
        certain.append(probability > 0.5)
        unsupervised = functional.cross_entropy(step.model(batch), label, reduction="none")
        return step.task_loss() + (unsupervised * certain[-1]).mean()

    _fit(job, loss=loss)
    assert len(certain) == 6
    assert unlabeled.meter.rows == 6 * 16
